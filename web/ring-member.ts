/** This tab's membership of the ring, and what there is to see of it. Knows nothing of the page. */
import SimplePeer from 'simple-peer';
import { createRingPeer } from '../peer/ring-peer.ts';
import { simplePeerLinks } from '../peer/simple-peer-links.ts';
import { socketSignaling } from '../peer/socket-signaling.ts';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import type { RingEvent, RingState } from '../shared/ring/events.ts';
import type { RingPeer } from '../shared/ring/ring-peer.ts';
import { isLap } from './entry-own.ts';
import { FirstTransport } from './first-connection.ts';
import { factsOf, headlineOf } from './facts.ts';

/** Something that happened; put into words once somebody looks at it. */
export interface LogRecord {
  readonly key: number;
  /** Unix time in milliseconds. */
  readonly at: number;
  readonly event: RingEvent;
  /** The id of this tab's peer then. */
  readonly self: PeerId;
  /** Whether it is a message that only says again who leads. */
  readonly isLap: boolean;
  /** How many like it in a row this record stands for; only laps are counted together. */
  readonly times: number;
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
  readonly log: readonly LogRecord[];
  readonly trouble: Trouble | null;
}

/** Entries kept; older ones fall out of page and download. */
const MAX_LOG = 2_000;

export class RingMember {
  readonly room: RoomName;
  /** Told of each change, and of the event that made it, if one did. */
  onChange: (event: RingEvent | null) => void = () => undefined;
  readonly #peer: RingPeer;
  #sight: Pick<Sight, 'log' | 'trouble'> = { log: [], trouble: null };
  #keys = 0;

  /** Makes the tab a member of a room at once, and lets it go with the tab. */
  constructor(room: RoomName) {
    this.room = room;
    this.#peer = createRingPeer(room, {
      openLink: simplePeerLinks(SimplePeer, { iceServers: [] }),
      newSignaling: (options) =>
        socketSignaling(location.origin, {
          ...options,
          transports: [FirstTransport],
          onLeave: (request) => {
            // What a page sends while it is being closed reaches the server only like this.
            navigator.sendBeacon('/leave', JSON.stringify(request));
          },
        }),
      onEvent: (event, state) => {
        this.#onEvent(event, state);
      },
    });
    this.#peer.join();
    addEventListener('pagehide', () => {
      this.leave();
    });
    // From the back-forward cache: the old membership ended when the page was hidden.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) this.rejoin();
    });
  }

  get ring(): RingState {
    return this.#peer.state;
  }

  get sight(): Sight {
    const { ring } = this;
    return { ...this.#sight, ring, facts: factsOf(ring), headline: headlineOf(ring) };
  }

  campaign(): void {
    this.#peer.campaign();
  }

  leave(): void {
    this.#peer.leave();
  }

  rejoin(): void {
    this.#sight = { ...this.#sight, trouble: null };
    this.#peer.join();
    this.onChange(null);
  }

  #onEvent(event: RingEvent, ring: RingState): void {
    const { log, trouble } = this.#sight;
    this.#sight = { log: this.#write(log, event, ring.id), trouble: troubleAfter(event, trouble) };
    this.onChange(event);
  }

  /** Adds a record. Laps come every second for ever, so one record counts those in a row. */
  #write(log: readonly LogRecord[], event: RingEvent, self: PeerId): readonly LogRecord[] {
    const isMessage = event.type === 'sent' || event.type === 'received';
    const newest = { at: Date.now(), event, self, isLap: isMessage && isLap(event.message) };
    const [last, ...rest] = log;
    if (last?.isLap === true && newest.isLap)
      return [{ ...newest, key: last.key, times: last.times + 1 }, ...rest];
    this.#keys += 1;
    return [{ ...newest, key: this.#keys, times: 1 }, ...log.slice(0, MAX_LOG - 1)];
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
