/** This tab's membership of the ring, and what there is to see of it. Knows nothing of the page. */
import SimplePeer from 'simple-peer/simplepeer.min.js';
import { createRingPeer } from '../peer/ring-peer.ts';
import { simplePeerLinks } from '../peer/simple-peer-links.ts';
import { socketSignaling } from '../peer/socket-signaling.ts';
import type { RoomName } from '../shared/protocol/ids.ts';
import type { ElectionMessage } from '../shared/protocol/messages.ts';
import type { Edge } from '../shared/protocol/signaling.ts';
import { classicLine, describe, isLap, type Description } from '../shared/ring/describe.ts';
import type { RingEvent, RingState } from '../shared/ring/events.ts';
import type { RingPeer } from '../shared/ring/ring-peer.ts';
import { factsOf, headlineOf } from './facts.ts';

/** One line of the log. */
export interface LogEntry extends Description {
  readonly key: number;
  /** Unix time in milliseconds. */
  readonly at: number;
  /** How many like it in a row this entry stands for; only laps are counted together. */
  readonly times: number;
  /** The same in the words of a classic program. */
  readonly classic: string;
}

/** A message on its way along one of this tab's edges, for the picture. */
export interface Token {
  readonly key: number;
  readonly edge: Edge;
  readonly kind: ElectionMessage['type'];
}

/** What went wrong, and what to do about it. */
export interface Trouble {
  readonly what: string;
  readonly advice: string;
}

/** What there is to see of the membership at one moment. */
export interface Sight {
  readonly ring: RingState;
  readonly facts: ReturnType<typeof factsOf>;
  readonly headline: string;
  /** Newest first. */
  readonly log: readonly LogEntry[];
  readonly tokens: readonly Token[];
  readonly trouble: Trouble | null;
}

/** Entries kept; older ones fall out of page and download. */
const MAX_LOG = 2_000;

/** How long a token is shown, in milliseconds: far longer than it takes, for the eye. */
const TOKEN_SHOWN = 350;

/** Tokens of one edge that wait to be shown. */
const MAX_WAITING = 6;

export class RingMember {
  readonly room: RoomName;
  /** Told of each change. */
  onChange: () => void = () => undefined;
  readonly #peer: RingPeer;
  #sight: Omit<Sight, 'facts' | 'headline'>;
  #keys = 0;
  /** The tokens of each edge yet to be shown, and first the one that is. */
  readonly #waiting: Record<Edge, Token['kind'][]> = { successor: [], predecessor: [] };

  /** Makes the tab a member of a room at once, and lets it go with the tab. */
  constructor(room: RoomName) {
    this.room = room;
    this.#peer = createRingPeer(room, {
      openLink: simplePeerLinks(SimplePeer, { iceServers: [] }),
      newSignaling: () => socketSignaling(location.origin),
      onEvent: (event, state) => {
        this.#onEvent(event, state);
      },
    });
    this.#sight = { ring: this.#peer.state, log: [], tokens: [], trouble: null };
    this.#peer.join();
    addEventListener('pagehide', () => {
      this.leave();
    });
    // From the back-forward cache: the old membership ended when the page was hidden.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) this.rejoin();
    });
  }

  get sight(): Sight {
    // One event can change more than it tells of: the state is the one of now.
    const ring = this.#peer.state;
    return { ...this.#sight, ring, facts: factsOf(ring), headline: headlineOf(ring) };
  }

  /** The log as text, oldest line first. */
  get logText(): string {
    return this.#sight.log
      .map(({ classic }) => `${classic}\n`)
      .toReversed()
      .join('');
  }

  campaign(): void {
    this.#peer.campaign();
  }

  leave(): void {
    this.#peer.leave();
  }

  rejoin(): void {
    this.#see({ trouble: null });
    this.#peer.join();
    this.#see({ ring: this.#peer.state });
  }

  #onEvent(event: RingEvent, ring: RingState): void {
    this.#see({ ring, trouble: troubleAfter(event, this.#sight.trouble) });
    this.#write(event, ring);
    if (event.type === 'sent' && event.to !== ring.id) this.#show('successor', event.message);
    if (event.type === 'received' && event.from !== ring.id)
      this.#show('predecessor', event.message);
  }

  #see(change: Partial<Sight>): void {
    this.#sight = { ...this.#sight, ...change };
    this.onChange();
  }

  /** Adds a line. Laps come every second for ever, so one line counts those in a row. */
  #write(event: RingEvent, { id }: RingState): void {
    const at = Date.now();
    const classic = classicLine(event, id, new Date(at).toISOString());
    const entry = { ...describe(event, id), at, classic };
    const [last, ...rest] = this.#sight.log;
    if (last?.kind === 'lap' && entry.kind === 'lap') {
      this.#see({ log: [{ ...entry, key: last.key, times: last.times + 1 }, ...rest] });
      return;
    }
    this.#keys += 1;
    const newest = { ...entry, key: this.#keys, times: 1 };
    this.#see({ log: [newest, ...this.#sight.log.slice(0, MAX_LOG - 1)] });
  }

  /** Shows a token on an edge, after those before it. Laps are too many to be worth a look. */
  #show(edge: Edge, message: ElectionMessage): void {
    if (isLap(message)) return;
    const waiting = this.#waiting[edge];
    waiting.push(message.type);
    if (waiting.length === 1) this.#showNext(edge);
    // Far behind in a storm of them, the last few will do.
    else if (waiting.length > MAX_WAITING) waiting.splice(1, 1);
  }

  #showNext(edge: Edge): void {
    const waiting = this.#waiting[edge];
    const others = this.#sight.tokens.filter((token) => token.edge !== edge);
    const [kind] = waiting;
    if (kind === undefined) {
      this.#see({ tokens: others });
      return;
    }
    this.#keys += 1;
    this.#see({ tokens: [...others, { key: this.#keys, edge, kind }] });
    setTimeout(() => {
      waiting.shift();
      this.#showNext(edge);
    }, TOKEN_SHOWN);
  }
}

/** What is wrong after an event, given what was wrong before it. */
function troubleAfter(event: RingEvent, before: Trouble | null): Trouble | null {
  switch (event.type) {
    case 'server':
      if (event.state === 'connected') return null;
      return {
        what: 'The server cannot be reached.',
        advice: 'This page keeps trying; if the ring closes over it, it comes back as a new peer.',
      };
    case 'left':
      return null;
    case 'refused':
      if (event.code === 'id-taken' || event.code === 'place-lost') return before;
      return { what: `The server says no: ${event.message}.`, advice: refusalAdvice(event.code) };
    case 'error':
      return {
        what: `${event.message}.`,
        advice: 'Try a current browser, or another device.',
      };
    default:
      return before;
  }
}

function refusalAdvice(code: Extract<RingEvent, { type: 'refused' }>['code']): string {
  switch (code) {
    case 'version':
    case 'malformed':
      return 'Reload the page to get its current version.';
    case 'room-full':
      return 'Wait for someone to leave, then rejoin, or use another room.';
    default:
      return 'Rejoin, or reload the page.';
  }
}
