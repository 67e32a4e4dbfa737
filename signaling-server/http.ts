/** Plain HTTP: the built page, the server's health and its metrics. */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import sirv from 'sirv';
import type { SignalingServer } from './signaling.ts';

/**
 * Answers everything that is not Socket.IO's.
 * @param signaling asked for its state; set once it exists
 * @param pageFolder the built page
 */
export function createRequestListener(
  signaling: () => SignalingServer,
  pageFolder: string,
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

  function health(response: ServerResponse): void {
    const uptime = Math.round((Date.now() - startedAt) / 1_000);
    const body = JSON.stringify({ status: 'ok', uptime, ...signaling().size });
    response.setHeader('content-type', 'application/json').end(body);
  }

  return (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url?.split('?')[0];
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      plain(response, 405, 'only GET is answered here\n');
    } else if (path === '/healthz') {
      health(response);
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

function plain(response: ServerResponse, status: number, text: string): void {
  response.statusCode = status;
  response.setHeader('content-type', 'text/plain; charset=utf-8').end(text);
}
