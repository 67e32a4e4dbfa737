/** What is answered over plain HTTP: the built page, the server's state, and goodbyes of closing pages. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { hostRefusal, type AccessOptions } from './access.ts';
import { isFromHere, type Reach } from './addresses.ts';
import type { Scrape } from './metrics.ts';
import { PageFiles } from './page-files.ts';
import { pageHeaders } from './page-headers.ts';
import type { SignalingServer } from './signaling.ts';
import type { Warnings } from './warnings.ts';

/** The largest body of a request that is read, in characters. */
const LARGEST_BODY = 1_024;

/** What machines ask, which may call the server by its address: answered under any Host. */
const FOR_MACHINES = new Set(['/healthz', '/readyz', '/metrics']);

export interface SiteOptions extends AccessOptions {
  /** The path below which everything is served: `/`, or a path that begins and ends with a slash. */
  readonly basePath: string;
  /** Origins whose pages may show this server's in a frame. */
  readonly frameAncestors: readonly string[];
  /** null where /metrics is answered here. */
  readonly metricsPort: number | null;
}

export interface SitePorts {
  /** Asked for its state; set once it exists. */
  readonly signaling: () => SignalingServer;
  /** The built page. */
  readonly pageFolder: string;
  /** Where browsers reach the server, for a page that invites others. */
  readonly reach: () => Promise<Reach>;
  readonly warnings: Warnings;
}

/** Answers everything that is not Socket.IO's. */
export function createSite(options: SiteOptions, ports: SitePorts): RequestListener {
  const site = new Site(options, ports);
  return answering((request, response) => site.answer(request, response), ports.warnings);
}

/** Answers /metrics alone. */
export function createMetricsSite({
  signaling,
  warnings,
}: Pick<SitePorts, 'signaling' | 'warnings'>): RequestListener {
  return answering(async ({ method, url }, response) => {
    if (!isRead(method)) refuseMethod(response);
    else if (url?.split('?')[0] === '/metrics')
      sendScrape(response, await signaling().metrics.scrape());
    else plain(response, 404, 'only /metrics is here\n');
  }, warnings);
}

/** A request that cannot be answered ends nothing but itself. */
function answering(
  answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  warnings: Warnings,
): RequestListener {
  return (request, response) => {
    // Its connection was ended by a request before it.
    if (request.socket.destroyed) return;
    answer(request, response).catch((error: unknown) => {
      // Where the client is gone, nothing has failed.
      if (request.socket.destroyed) return;
      warnings.warn('answer', { error: String(error) }, 'a request cannot be answered');
      if (response.headersSent) response.destroy();
      else plain(response, 500, 'the server cannot answer this\n');
    });
  };
}

class Site {
  readonly #options: SiteOptions;
  readonly #ports: SitePorts;
  readonly #page: PageFiles;
  readonly #headers: Map<string, string>;
  readonly #startedAt = Date.now();

  constructor(options: SiteOptions, ports: SitePorts) {
    this.#options = options;
    this.#ports = ports;
    this.#headers = pageHeaders(options.frameAncestors);
    this.#page = new PageFiles(ports.pageFolder, (error) => {
      ports.warnings.warn('page', { error: String(error) }, 'the page cannot be read');
    });
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.setHeaders(this.#headers);
    const { basePath } = this.#options;
    const { path: asked, query } = targetOf(request);
    const path = asked.startsWith(basePath) ? asked.slice(basePath.length - 1) : null;
    const refused =
      path !== null && FOR_MACHINES.has(path) ? null : hostRefusal(request, this.#options);
    if (refused !== null) {
      this.#ports.signaling().noteRefusal(request, refused);
      plain(response, 421, `${refused.message}\n`);
    } else if (path !== null) await this.#answer(path, query, request, response);
    else if (`${asked}/` === basePath)
      response.writeHead(307, { location: basePath + query }).end();
    else plain(response, 404, 'there is nothing here\n');
  }

  async #answer(
    path: string,
    query: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if (path === '/leave' && request.method === 'POST') {
      await this.#leave(request, response);
      return;
    }
    if (!isRead(request.method)) {
      refuseMethod(response);
      return;
    }
    switch (path) {
      case '/healthz':
        await this.#health(request, query, response);
        return;
      case '/readyz':
        this.#readiness(response);
        return;
      case '/addresses':
        await this.#addresses(request, response);
        return;
      case '/metrics':
        if (this.#options.metricsPort === null)
          sendScrape(response, await this.#ports.signaling().metrics.scrape());
        else plain(response, 404, 'the metrics are at METRICS_PORT\n');
        return;
      default:
        this.#file(path, request, response);
    }
  }

  async #health(request: IncomingMessage, query: string, response: ServerResponse): Promise<void> {
    const signaling = this.#ports.signaling();
    const uptime = Math.round((Date.now() - this.#startedAt) / 1_000);
    const parameters = new URLSearchParams(query);
    const origin = parameters.get('origin');
    const attempt = parameters.get('attempt') ?? '';
    // A page whose WebSocket fails asks why: the browser does not tell it that the server refused.
    const more = origin === null ? {} : await signaling.accessOf(request, origin, attempt);
    const { instance, size } = signaling;
    json(response, 200, { status: 'ok', uptime, instance, ...size, ...more });
  }

  /** For load balancers: whether new visitors are to come here. */
  #readiness(response: ServerResponse): void {
    if (this.#ports.signaling().isClosing)
      json(response, 503, { status: 'not ready', reason: 'the server is ending' });
    else if (!this.#page.isBuilt)
      json(response, 503, { status: 'not ready', reason: 'the page is not built' });
    else if (!this.#ports.signaling().isReady)
      json(response, 503, { status: 'not ready', reason: 'Redis does not answer' });
    else json(response, 200, { status: 'ready' });
  }

  async #addresses(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isAllowed = isFromHere(request);
    json(response, 200, { addresses: isAllowed ? (await this.#ports.reach()).others : [] });
  }

  async #leave(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    if (body === null) {
      plain(response, 413, `more than ${LARGEST_BODY} characters are not read here\n`);
      return;
    }
    const reply = await this.#ports.signaling().leave(fromJson(body));
    if (reply.ok) response.writeHead(204).end();
    else plain(response, reply.code === 'malformed' ? 400 : 403, `${reply.message}\n`);
  }

  #file(path: string, request: IncomingMessage, response: ServerResponse): void {
    if (this.#page.answer(path, request, response)) return;
    if (path === '/')
      plain(response, 503, 'the page is not built; build it with "npm run build"\n');
    else plain(response, 404, 'there is nothing here\n');
  }
}

/** What a request asks for; the query has its question mark, if there is one. */
export function targetOf({ url = '' }: IncomingMessage): { path: string; query: string } {
  const [path = ''] = url.split('?');
  return { path, query: url.slice(path.length) };
}

const isRead = (method: string | undefined) => method === 'GET' || method === 'HEAD';

/** A request's body; null where it is too large. */
async function textOf(request: IncomingMessage): Promise<string | null> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > LARGEST_BODY) return null;
  }
  return text;
}

/** undefined where it is not JSON. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sendScrape(response: ServerResponse, { contentType, text }: Scrape): void {
  response.setHeader('content-type', contentType).end(text);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
}

function refuseMethod(response: ServerResponse): void {
  response.setHeader('allow', 'GET, HEAD');
  plain(response, 405, 'only GET is answered here\n');
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8').end(text);
}
