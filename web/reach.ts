/** What the page can find out about a server that no WebSocket reaches: it asks over HTTP as well. */

/** The result of a request; `stranger` is an answer that is not this server's. */
export type Reach =
  | { readonly type: 'silence' }
  | { readonly type: 'stranger'; readonly status: number }
  | { readonly type: 'answer' }
  /** It answers, but WebSockets to it fail. */
  | { readonly type: 'no-websocket' }
  /**
   * It accepts no WebSocket from this page, because of the page's origin or the name that the server was
   * called by; `host` is the Host header that came with the request.
   */
  | { readonly type: 'wrong-origin' | 'wrong-host'; readonly host: string }
  /** It takes no more connections: none at all, or none from the network of this page. */
  | { readonly type: 'full'; readonly of: 'server' | 'network' };

/**
 * The interval of requests while the server cannot be reached, and how long each may take, in milliseconds.
 */
const INTERVAL = 5_000;
const PATIENCE = 4_000;

/**
 * WebSockets that must have failed after an HTTP answer before the page says so: the first may have been
 * under way before the server was there.
 */
const FAILED_ATTEMPTS = 2;

/** Asks once. The address is relative to the page, as proxies may put it below a path. */
async function ask(): Promise<Reach> {
  try {
    const address = `healthz?${new URLSearchParams({ origin: location.origin }).toString()}`;
    const request = { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE) } as const;
    const response = await fetch(address, request);
    const body: unknown = await response.json().catch((error: unknown) => {
      // An answer that is not JSON is not this server's; one that breaks off or is late counts as none.
      if (error instanceof SyntaxError) return null;
      throw error;
    });
    return readReach(response.status, body);
  } catch {
    return { type: 'silence' };
  }
}

/**
 * What an answer means.
 * @param body its parsed JSON; anything where it has none
 */
export function readReach(status: number, body: unknown): Reach {
  const isServer =
    typeof body === 'object' && body !== null && 'status' in body && body.status === 'ok';
  if (status !== 200 || !isServer) return { type: 'stranger', status };
  const host = 'host' in body && typeof body.host === 'string' ? body.host : '';
  if ('allowsHost' in body && body.allowsHost === false) return { type: 'wrong-host', host };
  if ('allowsOrigin' in body && body.allowsOrigin === false) return { type: 'wrong-origin', host };
  const full = 'full' in body ? body.full : null;
  return full === 'server' || full === 'network' ? { type: 'full', of: full } : { type: 'answer' };
}

/** Asks repeatedly while the server is lost. */
export class ReachWatch {
  readonly #onReach: (reach: Reach | null) => void;
  readonly #ask: () => Promise<Reach>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Replaced each time the server is lost, or is asked out of turn. */
  #asking: object | null = null;
  /** Whether the last HTTP request was answered, and how many WebSockets have failed since. */
  #isAnswering = false;
  #failed = 0;

  /** @param onReach called with each result, and with null once it is out of date */
  constructor(onReach: (reach: Reach | null) => void, asks: () => Promise<Reach> = ask) {
    this.#onReach = onReach;
    this.#ask = asks;
  }

  /** May be called each time it is found lost. */
  lost(): void {
    if (this.#asking !== null) return;
    this.#lookAnew();
  }

  /** An attempt to open a WebSocket has failed. */
  failed(): void {
    if (!this.#isAnswering) return;
    this.#failed += 1;
    // It may have gone since it answered.
    if (this.#failed === FAILED_ATTEMPTS) this.#lookAnew();
  }

  found(): void {
    if (this.#asking === null) return;
    clearTimeout(this.#timer);
    this.#asking = null;
    this.#noteAnswer(false);
    this.#onReach(null);
  }

  #noteAnswer(isAnswering: boolean): void {
    this.#isAnswering = isAnswering;
    if (!isAnswering) this.#failed = 0;
  }

  #lookAnew(): void {
    clearTimeout(this.#timer);
    this.#asking = {};
    void this.#look(this.#asking);
  }

  async #look(asking: object): Promise<void> {
    const reach = await this.#ask();
    if (this.#asking !== asking) return;
    this.#noteAnswer(reach.type === 'answer');
    this.#onReach(this.#failed < FAILED_ATTEMPTS ? reach : { type: 'no-websocket' });
    this.#timer = setTimeout(() => void this.#look(asking), INTERVAL);
  }
}

/** The host and origin of a page's WebSocket, for messages to people. */
export interface Addresses {
  readonly host: string;
  readonly origin: string;
}

/**
 * What was found out, and what helps, in sentences; empty while nothing was found out.
 * @param page the page's own addresses
 */
export function reachText(reach: Reach | null, { host, origin }: Addresses): string {
  switch (reach?.type) {
    case undefined:
      return '';
    case 'silence':
      return `Nothing answers at ${host} over HTTP, either: check that the computer that serves this page is on, that the server runs, and that this device is in the same network.`;
    case 'stranger':
      return `${host} answers over HTTP, with status ${reach.status}, but not as this server does: check that the server runs there, and whether a proxy in front of it answers instead.`;
    case 'answer':
      return 'The server answers over HTTP.';
    case 'no-websocket':
      return 'The server answers over HTTP, but no WebSocket to it can be opened. If there is a proxy in between, it has to pass WebSockets on.';
    case 'full':
      return reach.of === 'server'
        ? 'The server answers over HTTP, but takes no more connections at the moment: it has as many as it may have.'
        : 'The server answers over HTTP, but there are too many connections from your network at the moment: it takes no more of them for now.';
    case 'wrong-host':
      return `The server answers over HTTP but refuses WebSockets by the name in the Host header of the request, which was ${reach.host === '' ? 'empty' : reach.host}. Open this page at the address in the server’s PUBLIC_URL, have the proxy pass on the Host header, or correct PUBLIC_URL.`;
    case 'wrong-origin':
      return `The server answers over HTTP but refuses WebSockets from pages of the origin ${origin}: the Host header of the request was ${reach.host === '' ? 'not that of this page' : reach.host}. Have the proxy pass on the Host header, or add ${origin} to ALLOWED_ORIGINS.`;
  }
}
