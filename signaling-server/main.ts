/** Starts the server from the environment, says where it is, and ends it on SIGINT or SIGTERM. */
import { fileURLToPath } from 'node:url';
import { renderUnicodeCompact } from 'uqr';
import { lanOrigins } from './addresses.ts';
import { readOptions } from './options.ts';
import { startServer } from './server.ts';

/** How long open connections may take to end, in milliseconds. */
const SHUTDOWN = 3_000;

function announce(host: string, port: number): void {
  console.log(`listening on http://localhost:${port}`);
  const urls = lanOrigins(host, port);
  for (const url of urls) console.log(`on the network  ${url}`);
  const [first] = urls;
  if (first !== undefined && process.stdout.isTTY)
    console.log(`\n${renderUnicodeCompact(first, { border: 2 })}`);
}

function explain(error: unknown, port: string | undefined): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  if (code === 'EADDRINUSE') return `port ${port ?? '3000'} is in use; choose another with PORT`;
  if (code === 'EACCES') return `port ${port ?? '3000'} may not be opened by this user`;
  if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL')
    return `HOST ${process.env['HOST'] ?? ''} is no address of this machine`;
  return error.message;
}

try {
  const options = readOptions(process.env);
  const server = await startServer(options, fileURLToPath(new URL('../web', import.meta.url)));
  const stop = () => {
    setTimeout(() => process.exit(0), SHUTDOWN).unref();
    void server.close().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Whoever reads this may end the server at once.
  announce(options.host, server.port);
} catch (error) {
  console.error(explain(error, process.env['PORT']));
  process.exit(1);
}
