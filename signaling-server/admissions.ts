/** Whether clients may do what they ask for, by what `authorize` has granted each connection. */
import { refusal } from '../shared/broker/turn.ts';
import type { Refusal } from '../shared/protocol/signaling.ts';
import type { Client } from './clients.ts';
import { shortfallOf, type Authorize, type Grant, type Wish } from './grants.ts';
import { inTime } from './in-time.ts';
import type { Warnings } from './warnings.ts';

/** How long the decision may take, in milliseconds. */
const PATIENCE = 5_000;

const UNDECIDED = refusal('try-again', 'this server cannot tell now whether you may come in');

export class Admissions {
  readonly #authorize: Authorize;
  readonly #warnings: Warnings;
  readonly #granted = new WeakMap<Client, Promise<Grant | Refusal>>();

  constructor(authorize: Authorize, warnings: Warnings) {
    this.#authorize = authorize;
    this.#warnings = warnings;
  }

  /** What a connection was granted; asked for once, unless that could not be decided. */
  grantOf(client: Client): Promise<Grant | Refusal> {
    const known = this.#granted.get(client);
    if (known !== undefined) return known;
    const granted = this.#ask(client);
    this.#granted.set(client, granted);
    return granted;
  }

  /** What a connection was granted, if that is enough for what it wants now. */
  async admit(client: Client, wish: Wish): Promise<Grant | Refusal> {
    const grant = await this.grantOf(client);
    if ('ok' in grant) return grant;
    const shortfall = shortfallOf(grant, wish, Date.now());
    return shortfall === null ? grant : refusal('token', shortfall);
  }

  async #ask(client: Client): Promise<Grant | Refusal> {
    const { socket, address } = client;
    const { auth, headers } = socket.handshake;
    const token: unknown = auth['token'];
    try {
      const asked = { token: typeof token === 'string' ? token : null, address, headers };
      const grant = await inTime(this.#authorize(asked), PATIENCE);
      return typeof grant === 'string' ? refusal('token', grant) : grant;
    } catch (error) {
      this.#granted.delete(client);
      const details = { error: error instanceof Error ? error.message : String(error) };
      this.#warnings.warn('authorize', details, 'cannot decide who may come in');
      return UNDECIDED;
    }
  }
}
