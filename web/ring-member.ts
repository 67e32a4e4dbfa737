/** This tab's membership of the ring, and its visible state. Knows nothing of the page. */
import SimplePeer from 'simple-peer';
import { IceServers } from '../peer/ice-servers.ts';
import type { LinkWays } from '../peer/link-ways.ts';
import { createRingPeer, type PeerPorts } from '../peer/ring-peer.ts';
import { simplePeerLinks } from '../peer/simple-peer-links.ts';
import { socketSignaling } from '../peer/socket-signaling.ts';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import { isLap } from '../shared/protocol/messages.ts';
import type { LeaveRequest } from '../shared/protocol/signaling.ts';
import type { LinkSnapshot, RingEvent, RingState } from '../shared/member/events.ts';
import type { RingPeer } from '../shared/driver/ring-peer.ts';
import { ATTEMPT } from './attempt.ts';
import { factsOf } from './facts.ts';
import { claimsIn, inFragment } from './fragment.ts';

/** Something that happened; put into words when it is first read. */
export interface LogRecord {
  readonly key: number;
  /** Unix time in milliseconds. */
  readonly at: number;
  readonly event: RingEvent;
  /** The id of this tab's peer then. */
  readonly self: PeerId;
  /** Whether it is a message that only repeats who leads. */
  readonly isLap: boolean;
  /** How many like it in a row this record stands for; only laps are counted together. */
  readonly times: number;
}

/** The visible state of the membership at one moment. */
export interface Sight {
  readonly ring: RingState;
  readonly facts: ReturnType<typeof factsOf>;
  /** By which way the links go; what is not known yet is none. */
  readonly ways: LinkWays;
}

/** What the log leaves out: it is shown elsewhere, or does not help to understand an election. */
const UNLOGGED: ReadonlySet<RingEvent['type']> = new Set(['holding', 'ring', 'era']);

/** Entries kept; older ones disappear from page and download. */
const MAX_LOG = 5_000;

export class RingMember {
  readonly room: RoomName;
  /** Called at each change, with the event that caused it, if one did. */
  onChange: (event: RingEvent | null) => void = () => undefined;
  readonly #peer: RingPeer;
  readonly #log: LogRecord[] = [];
  #keys = 0;
  #ways: LinkWays = { successor: 'none', predecessor: 'none' };

  /** Makes the tab a member of a room at once, and ends the membership with the tab. */
  constructor(room: RoomName) {
    this.room = room;
    const iceServers = new IceServers();
    const token = inFragment('token');
    const ports: PeerPorts = {
      id: claimsIn(token).id,
      iceServers,
      openLink: simplePeerLinks(SimplePeer, { iceServers }),
      newSignaling: (options) =>
        socketSignaling(location.href, {
          ...options,
          token: () => token,
          query: ATTEMPT,
          onIceServers: (servers) => iceServers.take(servers),
          onLeave: sayGoodbye,
        }),
      onEvent: (event, state) => {
        this.#onEvent(event, state);
      },
      onLinkWays: (ways) => {
        this.#ways = ways;
        this.onChange(null);
      },
    };
    this.#peer = createRingPeer(room, ports, { key: inFragment('key') });
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
    return { ring, facts: factsOf(ring), ways: this.#ways };
  }

  /** Oldest first; the same array grows further. */
  get log(): readonly LogRecord[] {
    return this.#log;
  }

  get links(): readonly LinkSnapshot[] {
    return this.#peer.links;
  }

  setHopDelay(milliseconds: number): void {
    this.#peer.setHopDelay(milliseconds);
  }

  campaign(): void {
    this.#peer.campaign();
  }

  leave(): void {
    this.#peer.leave();
  }

  /** Disappears without a goodbye, and sends none when the tab is closed, either. */
  vanish(): void {
    this.#peer.vanish();
  }

  rejoin(): void {
    this.#peer.join();
    this.onChange(null);
  }

  #onEvent(event: RingEvent, ring: RingState): void {
    if (!UNLOGGED.has(event.type)) this.#write(event, ring.id);
    this.onChange(event);
  }

  /** Adds a record. Laps come every second for ever, so one record counts consecutive ones. */
  #write(event: RingEvent, self: PeerId): void {
    const isMessage = event.type === 'sent' || event.type === 'received';
    const newest = { at: Date.now(), event, self, isLap: isMessage && isLap(event.message) };
    const last = this.#log.at(-1);
    if (last?.isLap === true && newest.isLap) {
      this.#log[this.#log.length - 1] = { ...newest, key: last.key, times: last.times + 1 };
      return;
    }
    this.#keys += 1;
    this.#log.push({ ...newest, key: this.#keys, times: 1 });
    if (this.#log.length > MAX_LOG) this.#log.shift();
  }
}

/**
 * Tells the server over HTTP too: while a page is being closed, only a request like this arrives. Some
 * browsers are configured without sendBeacon.
 */
function sayGoodbye(request: LeaveRequest): void {
  const body = JSON.stringify(request);
  if ('sendBeacon' in navigator && navigator.sendBeacon('leave', body)) return;
  fetch('leave', { method: 'POST', body, keepalive: true }).catch((error: unknown) => {
    console.warn('the goodbye over HTTP could not be sent', error);
  });
}
