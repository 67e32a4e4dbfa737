/**
 * STUN and TURN servers that pages are told of, and credentials for the latter: by the convention that coturn
 * calls use-auth-secret (draft-uberti-behave-turn-rest).
 */
import { createHmac, randomUUID } from 'node:crypto';
import type { IceServers } from '../shared/protocol/signaling.ts';

export interface IceOptions {
  /** Such as `stun:stun.example.org:3478`. */
  readonly stunUrls: readonly string[];
  readonly turnUrls: readonly string[];
  /** What the TURN servers check credentials with; they are not used without it. */
  readonly turnSecret?: string | undefined;
  /** How long credentials hold, in milliseconds. */
  readonly turnLifetime?: number;
}

/** The longest that a page may use a TURN server of which it was told once. */
const LIFETIME = 12 * 3_600_000;

export class Ice {
  readonly #options: IceOptions;
  readonly #lifetime: number;

  constructor(options: IceOptions) {
    this.#options = options;
    this.#lifetime = options.turnLifetime ?? LIFETIME;
  }

  /** How often pages are to be told anew, in milliseconds; null where nothing expires. */
  get renewal(): number | null {
    return this.servers(0).length === this.open.length ? null : this.#lifetime / 2;
  }

  /** Those that need no credentials. */
  get open(): IceServers {
    const { stunUrls } = this.#options;
    return stunUrls.length === 0 ? [] : [{ urls: [...stunUrls] }];
  }

  /**
   * For one client: TURN servers limit what each may use by its name.
   * @param date milliseconds since 1970
   * @param until when the client may use them no more, the same
   */
  servers(date: number, until = Infinity): IceServers {
    return [...this.open, ...this.#turnServers(Math.min(date + this.#lifetime, until))];
  }

  #turnServers(until: number): IceServers {
    const { turnUrls, turnSecret } = this.#options;
    if (turnUrls.length === 0 || turnSecret === undefined) return [];
    const username = `${Math.floor(until / 1_000)}:${randomUUID()}`;
    const credential = createHmac('sha1', turnSecret).update(username).digest('base64');
    return [{ urls: [...turnUrls], username, credential }];
  }
}
