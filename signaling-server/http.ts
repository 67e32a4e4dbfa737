/** Plain HTTP: the built page, the server's health and its metrics, and goodbyes of closing pages. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import sirv from 'sirv';
import { isFromHere } from './addresses.ts';
import type { SignalingServer } from './signaling.ts';

/** The largest body of a request that is read, in characters. */
const LARGEST_BODY = 1_024;

/**
 * Answers everything that is not Socket.IO's.
 * @param signaling asked for its state; set once it exists
 * @param pageFolder the built page
 * @param origins by which other devices reach it, for a page that invites them
 */
export function createRequestListener(
  signaling: () => SignalingServer,
  pageFolder: string,
  origins: () => readonly string[] = () => [],
): RequestListener {
  const startedAt = Date.now();
  const page = sirv(pageFolder, {
    // Looks for files when they are asked for: the page may be built later, or anew.
    dev: true,
    etag: true,
    gzip: true,
    // The names of assets carry their contents' hashes.
    setHeaders: (response, path) => {
      const isHashed = path.startsWith('/assets/');
      response.setHeader(
        'cache-control',
        isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
      );
    },
  });

  async function metrics(response: ServerResponse): Promise<void> {
    const { registry } = signaling().metrics;
    const text = await registry.metrics();
    response.setHeader('content-type', registry.contentType).end(text);
  }

  function health({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    const uptime = Math.round((Date.now() - startedAt) / 1_000);
    const origin = new URLSearchParams(url.split('?')[1]).get('origin');
    // A page that gets no WebSocket asks why: a browser does not tell it of a refusal.
    const { host } = headers;
    const more =
      origin === null ? {} : { host, allowsOrigin: signaling().allowsOrigin(origin, host) };
    const body = JSON.stringify({ status: 'ok', uptime, ...signaling().size, ...more });
    response.setHeader('content-type', 'application/json').end(body);
  }

  async function leave(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await textOf(request);
    if (body === null) {
      plain(response, 413, `more than ${LARGEST_BODY} characters are not read here\n`);
      return;
    }
    const reply = signaling().leave(fromJson(body));
    if (reply.ok) response.writeHead(204).end();
    else plain(response, reply.code === 'malformed' ? 400 : 403, `${reply.message}\n`);
  }

  return (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url?.split('?')[0];
    if (path === '/leave' && request.method === 'POST') {
      leave(request, response).catch(() => {
        // Whoever asked is gone.
        response.destroy();
      });
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      plain(response, 405, 'only GET is answered here\n');
    } else if (path === '/healthz') {
      health(request, response);
    } else if (path === '/addresses') {
      const body = JSON.stringify({ origins: isFromHere(request) ? origins() : [] });
      response.setHeader('content-type', 'application/json').end(body);
    } else if (path === '/metrics') {
      metrics(response).catch((error: unknown) => {
        plain(response, 500, `${String(error)}\n`);
      });
    } else {
      // A part of a file is not worth the care: sirv throws where the range ends before it starts.
      delete request.headers.range;
      page(request, response, () => {
        if (path === '/')
          plain(response, 503, 'the page is not built; build it with "npm run build"\n');
        else plain(response, 404, 'there is nothing here\n');
      });
    }
  };
}

/** A request's body; null where it is too large. */
async function textOf(request: IncomingMessage): Promise<string | null> {
  let text = '';
  for await (const piece of request.setEncoding('utf8')) {
    text += String(piece);
    if (text.length > LARGEST_BODY) return null;
  }
  return text;
}

/** What is no JSON is nothing. */
function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8').end(text);
}
