/** What a projector page may do with its room where it is the host, as components read it. */
import type { PeerId, RoomName } from '../../shared/protocol/ids.ts';
import { withFragment } from '../fragment.ts';
import type { GovernRequest, GovernReply } from '../../shared/protocol/signaling.ts';

export type Order = GovernRequest['order'];

/** Asks the server for something that only the host may do; null where it cannot be asked now. */
export type Govern = (
  host: string | null,
  order: Order,
  onReply: (reply: GovernReply | null) => void,
) => void;

/** Milliseconds between two claims: a room that nobody comes to is kept for three times as long. */
const RENEWAL = 600_000;

/** Bytes of a key: nobody guesses it. */
const KEY_BYTES = 16;

export class Hosting {
  readonly #room: RoomName;
  readonly #govern: Govern;
  /** Whether it is the host by its token, and needs no key. */
  readonly #isGranted: boolean;
  /** null for a page that is no host and has never been. */
  #key: string | null;
  #isHost = $state(false);
  #isLocked = $state(false);
  #problem: string | null = $state(null);

  /** @param key from the page's link; else it may have been kept here */
  constructor(room: RoomName, key: string | null, isGranted: boolean, govern: Govern) {
    this.#room = room;
    this.#isGranted = isGranted;
    this.#govern = govern;
    this.#key = key ?? this.#kept();
    setInterval(() => {
      if (this.#isHost) this.connected();
    }, RENEWAL);
  }

  get isHost(): boolean {
    return this.#isHost;
  }

  get isLocked(): boolean {
    return this.#isLocked;
  }

  /** Why the last wish was not granted, in a sentence. */
  get problem(): string | null {
    return this.#problem;
  }

  /** The key that the server is to be told, if there is one. */
  get key(): string | null {
    return this.#key;
  }

  /** The address of this page for the host on another device. */
  get link(): string {
    return this.#key === null ? location.href : withFragment('host', this.#key);
  }

  /** There is a connection to the server again. */
  connected(): void {
    if (this.#key !== null || this.#isGranted) this.#ask({ do: 'claim' });
  }

  /** Becomes the host of a room that has none and nobody in it. */
  claim(): void {
    if (!this.#isGranted) this.#key ??= newKey();
    this.#ask({ do: 'claim' });
  }

  lock(isLocked: boolean): void {
    this.#ask({ do: isLocked ? 'lock' : 'unlock' });
  }

  turnOut(id: PeerId): void {
    this.#ask({ do: 'turn out', id });
  }

  #ask(order: Order): void {
    const key = this.#key;
    if (key === null && !this.#isGranted) return;
    this.#govern(key, order, (reply) => {
      if (reply === null) {
        this.#problem = 'The server has not answered. Try again.';
        return;
      }
      this.#problem = reply.ok ? null : `The server refused: ${reply.message}.`;
      if (reply.ok) {
        this.#isHost = true;
        this.#isLocked = reply.isLocked;
        if (key !== null) this.#keep(key);
      } else if (reply.code === 'not-host') this.#isHost = false;
    });
  }

  get #place(): string {
    return `ringleader host of ${this.#room}`;
  }

  /** A browser may keep nothing for this page; then the link alone has the key. */
  #kept(): string | null {
    try {
      return localStorage.getItem(this.#place);
    } catch {
      return null;
    }
  }

  #keep(key: string): void {
    try {
      localStorage.setItem(this.#place, key);
    } catch {
      this.#problem = 'This browser keeps nothing for this page: copy the host link.';
    }
  }
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(KEY_BYTES));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
