/** This tab's membership of the ring, as components read it. */
import SimplePeer from 'simple-peer/simplepeer.min.js';
import { RingPeer } from '../peer/ring-peer.ts';
import { simplePeerLinks } from '../peer/simple-peer-links.ts';
import { socketSignaling } from '../peer/socket-signaling.ts';
import type { PeerId, RoomName } from '../shared/protocol/ids.ts';
import type { ElectionMessage } from '../shared/protocol/messages.ts';
import type { Edge } from '../shared/protocol/signaling.ts';
import { classicLine, describe, type Description } from '../shared/ring/describe.ts';
import type { RingEvent, RingState } from '../shared/ring/events.ts';

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
  readonly kind: 'claim' | 'elected' | 'lap';
}

/** What went wrong, and what to do about it. */
export interface Trouble {
  readonly what: string;
  readonly advice: string;
}

/** Entries kept; older ones fall out of page and download. */
const MAX_LOG = 2_000;

/** How long a token is shown, in milliseconds; the picture's animation takes as long. */
export const TOKEN_SHOWN = 700;

export class RingMember {
  readonly room: RoomName;
  readonly #peer: RingPeer;
  state: RingState;
  /** Newest first. */
  log: readonly LogEntry[] = $state.raw([]);
  tokens: readonly Token[] = $state.raw([]);
  trouble: Trouble | null = $state.raw(null);
  #keys = 0;

  /** Makes the tab a member of a room at once, and lets it go with the tab. */
  constructor(room: RoomName) {
    this.room = room;
    this.#peer = new RingPeer({
      room,
      openLink: simplePeerLinks(SimplePeer, { iceServers: [] }),
      signaling: () => socketSignaling(location.origin),
      onEvent: (event, state) => {
        this.#onEvent(event, state);
      },
    });
    this.state = $state.raw(this.#peer.state);
    this.#peer.join();
    addEventListener('pagehide', () => {
      this.leave();
    });
    // From the back-forward cache: the old membership ended when the page was hidden.
    addEventListener('pageshow', ({ persisted }) => {
      if (persisted) this.rejoin();
    });
  }

  campaign(): void {
    this.#peer.campaign();
  }

  leave(): void {
    this.#peer.leave();
  }

  rejoin(): void {
    this.trouble = null;
    this.#peer.join();
    this.state = this.#peer.state;
  }

  /** The log as text, oldest line first. */
  get logText(): string {
    return this.log.map(({ classic }) => `${classic}\n`).toReversed().join('');
  }

  #onEvent(event: RingEvent, state: RingState): void {
    this.state = state;
    this.trouble = troubleAfter(event, this.trouble);
    this.#write(event);
    if (event.type === 'sent' && event.to !== state.id) this.#show('successor', event.message);
    if (event.type === 'received' && event.from !== state.id)
      this.#show('predecessor', event.message);
  }

  /** Adds a line. Laps come every second for ever, so one line counts those in a row. */
  #write(event: RingEvent): void {
    const at = Date.now();
    const description = describe(event, this.state.id);
    const [last] = this.log;
    const entry = {
      ...description,
      at,
      classic: classicLine(event, this.state.id, new Date(at).toISOString()),
    };
    if (last !== undefined && last.kind === 'lap' && entry.kind === 'lap') {
      this.log = [{ ...entry, key: last.key, times: last.times + 1 }, ...this.log.slice(1)];
      return;
    }
    this.#keys += 1;
    this.log = [{ ...entry, key: this.#keys, times: 1 }, ...this.log.slice(0, MAX_LOG - 1)];
  }

  #show(edge: Edge, message: ElectionMessage): void {
    this.#keys += 1;
    const key = this.#keys;
    this.tokens = [...this.tokens, { key, edge, kind: tokenKind(message) }];
    setTimeout(() => {
      this.tokens = this.tokens.filter((token) => token.key !== key);
    }, TOKEN_SHOWN);
  }
}

function tokenKind(message: ElectionMessage): Token['kind'] {
  if (message.type === 'claim') return 'claim';
  return message.decision.lap > 0 ? 'lap' : 'elected';
}

/** What is wrong after an event, given what was wrong before it. */
function troubleAfter(event: RingEvent, before: Trouble | null): Trouble | null {
  switch (event.type) {
    case 'server':
      if (event.state === 'connected') return null;
      return {
        what: 'The server cannot be reached.',
        advice: 'This page keeps trying. Links that are open stay open.',
      };
    case 'refused':
      if (event.code === 'id-taken') return before;
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
