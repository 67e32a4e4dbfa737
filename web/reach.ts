/** What the page can find out about a server that no WebSocket reaches: it asks over HTTP as well. */
import { ATTEMPT } from './attempt.ts';

/** What of this page's WebSockets came to the server that answered, in the last seconds; null: nothing. */
type Arrival = 'without-upgrade' | 'came' | 'accepted' | null;

/** An answer, not the server's, where its WebSockets are. */
interface Diversion {
  readonly address: string;
  readonly status: number;
}

/** It answers, but WebSockets to it fail, or are not answered. */
interface NoWebSocket {
  readonly type: 'no-websocket';
  readonly ended: 'failed' | 'unanswered';
  readonly arrival: Arrival;
  readonly diversion: Diversion | null;
}

/** The result of a request; `stranger` is an answer that is not this server's. */
export type Reach =
  | { readonly type: 'silence' }
  | { readonly type: 'stranger'; readonly status: number }
  | { readonly type: 'answer'; readonly arrival: Arrival; readonly diversion: Diversion | null }
  | NoWebSocket
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

/** How long the answer may take that only says more of what fails, in milliseconds. */
const SHORT_PATIENCE = 1_000;

/** What the server answers where its WebSockets are to all that is none. */
const NO_WEBSOCKET = 426;

const ARRIVALS: ReadonlySet<unknown> = new Set<Arrival>(['without-upgrade', 'came', 'accepted']);
const isArrival = (input: unknown): input is Arrival => ARRIVALS.has(input);

/**
 * WebSockets that must have failed after an HTTP answer before the page says so: the first may have been
 * under way before the server was there.
 */
const FAILED_ATTEMPTS = 2;

/**
 * Asks once. The addresses are relative to the page, as proxies may put it below a path.
 * @param isFailing whether to ask, too, what is where its WebSockets are
 */
async function ask(isFailing: boolean): Promise<Reach> {
  const [reach, diversion] = await Promise.all([askHealth(), isFailing ? askDiversion() : null]);
  return reach.type === 'answer' ? { ...reach, diversion } : reach;
}

async function askHealth(): Promise<Reach> {
  try {
    const query = new URLSearchParams({ origin: location.origin, ...ATTEMPT });
    const address = `healthz?${query.toString()}`;
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

async function askDiversion(): Promise<Diversion | null> {
  try {
    const request = { cache: 'no-store', signal: AbortSignal.timeout(SHORT_PATIENCE) } as const;
    const { status, url } = await fetch('socket.io/', request);
    return status === NO_WEBSOCKET ? null : { address: url, status };
  } catch {
    return null;
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
  if (full === 'server' || full === 'network') return { type: 'full', of: full };
  const attempt = 'attempt' in body ? body.attempt : null;
  return { type: 'answer', arrival: isArrival(attempt) ? attempt : null, diversion: null };
}

/** Asks repeatedly while the server is lost. */
export class ReachWatch {
  readonly #onReach: (reach: Reach | null) => void;
  readonly #ask: (isFailing: boolean) => Promise<Reach>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Replaced each time the server is lost, or is asked out of turn. */
  #asking: object | null = null;
  /** Whether the last HTTP request was answered, and how many WebSockets have failed since. */
  #isAnswering = false;
  #failed = 0;
  /** Whether the last WebSocket has not been answered for long. */
  #isUnanswered = false;

  /** @param onReach called with each result, and with null once it is out of date */
  constructor(onReach: (reach: Reach | null) => void, asks = ask) {
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
    this.#isUnanswered = false;
    if (!this.#isAnswering) return;
    this.#failed += 1;
    // It may have gone since it answered.
    if (this.#failed === FAILED_ATTEMPTS) this.#lookAnew();
  }

  /** An attempt has not been answered for long; it may still go on. */
  unanswered(): void {
    if (this.#isUnanswered) return;
    this.#isUnanswered = true;
    if (this.#isAnswering) this.#lookAnew();
  }

  found(): void {
    if (this.#asking === null) return;
    clearTimeout(this.#timer);
    this.#asking = null;
    this.#isUnanswered = false;
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

  get #isFailing(): boolean {
    return this.#failed >= FAILED_ATTEMPTS;
  }

  async #look(asking: object): Promise<void> {
    const reach = await this.#ask(this.#isFailing && !this.#isUnanswered);
    if (this.#asking !== asking) return;
    this.#noteAnswer(reach.type === 'answer');
    this.#onReach(this.#conclude(reach));
    this.#timer = setTimeout(() => void this.#look(asking), INTERVAL);
  }

  #conclude(reach: Reach): Reach {
    if (reach.type !== 'answer') return reach;
    if (this.#isUnanswered) return { ...reach, type: 'no-websocket', ended: 'unanswered' };
    const isFailing = this.#isFailing || reach.arrival === 'without-upgrade';
    return isFailing ? { ...reach, type: 'no-websocket', ended: 'failed' } : reach;
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
      return noWebSocketText(reach);
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

function noWebSocketText({ ended, arrival, diversion }: NoWebSocket): string {
  const begin = 'The server answers over HTTP, but';
  if (arrival === 'without-upgrade')
    return `${begin} the WebSocket of this page came to it as an ordinary request. A proxy in between has to pass on the headers Upgrade and Connection.`;
  if (arrival === 'came') return `${begin} has not accepted the WebSocket of this page.`;
  if (arrival === 'accepted')
    return `${begin} its answer to the WebSocket of this page does not come here. A proxy in between has to pass WebSockets on, in both directions.`;
  const help =
    'It has not come to the server. A proxy in between, or whatever else stands there, has to pass WebSockets on.';
  if (ended === 'unanswered') return `${begin} the WebSocket of this page is not answered. ${help}`;
  return diversion === null
    ? `${begin} no WebSocket to it can be opened: that of this page is ended on its way. ${help}`
    : `${begin} no WebSocket to it can be opened: ${diversion.address} answers with status ${diversion.status}, and not as the server does. A proxy in between has to pass on to the server what is asked there.`;
}
