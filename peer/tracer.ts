/**
 * A peer's traces for the spectators of its ring. While there are none there is no Tracer. What happens is
 * only noted; it is put together and sent later, a little at a time, so that no election waits.
 */
import type { ElectionMessage } from '../shared/protocol/messages.ts';
import type { Trace, TraceEntry, TracedMessage } from '../shared/protocol/watch.ts';
import type { RingEvent, RingState } from '../shared/member/events.ts';
import type { Clock } from '../shared/driver/ports.ts';

/** Milliseconds between traces, which gather what has happened meanwhile. */
export const TRACE_INTERVAL = 100;

/** Entries that wait to be sent; with more the newest are only counted. */
export const MAX_WAITING = 256;

/** With more than so many, laps are left out. */
const MAX_WAITING_WITH_LAPS = 64;

/** Of laps, which go on for ever, all peers tell the same few: one that is seen goes all round. */
const LAPS_PER_ENTRY = 8;

/** Entries of one trace; MAX_ENTRIES of the protocol, which has code of its own. */
const MAX_ENTRIES = 64;

interface Noted {
  readonly at: number;
  readonly event: Extract<RingEvent, { type: 'sent' | 'received' | 'holding' }> | Standing;
}

/** What is to be told of a peer's state. */
type Standing = Readonly<Omit<Extract<TraceEntry, { type: 'state' }>, 'at'>>;

export interface TracerPorts {
  readonly clock: Clock;
  /** Sends a trace; `onDone` is called once it has arrived, or never will. */
  readonly send: (trace: Trace, onDone: () => void) => void;
}

export class Tracer {
  readonly #ports: TracerPorts;
  #waiting: Noted[] = [];
  #standing: Standing;
  /** Entries sent so far, and those left out since the last trace. */
  #sent = 0;
  #lost = 0;
  #isSending = false;
  #hasStopped = false;
  #cancelTimer: (() => void) | null = null;

  /** Begins with what the peer is now. */
  constructor(state: RingState, ports: TracerPorts) {
    this.#ports = ports;
    this.#standing = standingOf(state);
    this.#keep(this.#standing);
  }

  /**
   * Takes note of an event.
   * @param state of the peer after it
   */
  note(event: RingEvent, state: RingState): void {
    if (event.type === 'sent' || event.type === 'received' || event.type === 'holding') {
      if (this.#isOfInterest(event.message)) this.#keep(event);
    }
    const standing = standingOf(state);
    if (isSame(standing, this.#standing)) return;
    // One that is left out is told of with the next event.
    if (this.#keep(standing)) this.#standing = standing;
  }

  /** Says again what the peer is: somebody has come who does not know. */
  restate(): void {
    this.#keep(this.#standing);
  }

  /** Sends no more. */
  stop(): void {
    this.#hasStopped = true;
    this.#cancelTimer?.();
    this.#waiting = [];
  }

  #isOfInterest(message: ElectionMessage): boolean {
    if (message.type === 'claim' || message.decision.lap === 0) return true;
    const isRare = message.decision.lap % LAPS_PER_ENTRY === 0;
    return isRare && this.#waiting.length < MAX_WAITING_WITH_LAPS;
  }

  /** Whether there was room for it. */
  #keep(event: Noted['event']): boolean {
    if (this.#hasStopped) return false;
    if (this.#waiting.length >= MAX_WAITING) {
      this.#lost += 1;
      return false;
    }
    this.#waiting.push({ at: this.#ports.clock.now(), event });
    this.#sendLater();
    return true;
  }

  #sendLater(): void {
    if (this.#isSending || this.#cancelTimer !== null) return;
    this.#cancelTimer = this.#ports.clock.after(TRACE_INTERVAL, () => {
      this.#cancelTimer = null;
      this.#send();
    });
  }

  /** One at a time: what a slow server does not take waits here, within bounds. */
  #send(): void {
    const noted = this.#waiting.splice(0, MAX_ENTRIES);
    if (noted.length === 0) return;
    this.#isSending = true;
    const trace = {
      at: tenths(this.#ports.clock.now()),
      first: this.#sent,
      entries: noted.map(entryOf),
      lost: this.#lost,
    };
    this.#sent += noted.length;
    this.#lost = 0;
    this.#ports.send(trace, () => {
      this.#isSending = false;
      if (this.#waiting.length > 0) this.#sendLater();
    });
  }
}

function standingOf({ role, term, leader, successorLink: link }: RingState): Standing {
  return { type: 'state', role, term: term ?? 0, leader, link };
}

function isSame(one: Standing, other: Standing): boolean {
  return (
    one.role === other.role &&
    one.term === other.term &&
    one.leader === other.leader &&
    one.link === other.link
  );
}

function entryOf({ at, event }: Noted): TraceEntry {
  switch (event.type) {
    case 'sent':
      return { type: 'sent', at: tenths(at), to: event.to, message: messageOf(event.message) };
    case 'received': {
      const { outcome, reason } = event.judgement;
      const message = messageOf(event.message);
      return { type: 'received', at: tenths(at), from: event.from, message, outcome, reason };
    }
    case 'holding': {
      const milliseconds = Math.round(event.milliseconds);
      return { type: 'holding', at: tenths(at), message: messageOf(event.message), milliseconds };
    }
    case 'state':
      return { ...event, at: tenths(at) };
  }
}

function messageOf(message: ElectionMessage): TracedMessage {
  const { type, term } = message;
  if (message.type === 'claim') {
    const { claim, hops } = message;
    return { type, term, origin: claim.id, priority: claim.priority, hops, lap: 0 };
  }
  const { leader, hops, lap } = message.decision;
  return { type, term, origin: leader.id, priority: leader.priority, hops, lap };
}

/** Finer than that no browser tells the time, and the digits would all be sent. */
function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
