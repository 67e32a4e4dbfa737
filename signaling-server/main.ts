/** Starts the server from the environment, prints its addresses, and ends it on SIGINT or SIGTERM. */
import { fileURLToPath } from 'node:url';
import { renderUnicodeCompact } from 'uqr';
import type { Reach } from './addresses.ts';
import { readOptions, type ServerOptions } from './options.ts';
import { startServer } from './server.ts';

/** How long open connections may take to end, in milliseconds. */
const SHUTDOWN = 3_000;

/** The system's errors for an address that is not this machine's, or is none. */
const NO_SUCH_HOST = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL']);

function announce(
  { here, others, problem }: Reach,
  { host, publicUrl }: ServerOptions,
  metricsPort: number | null,
): void {
  const [first] = others;
  console.log(`listening on ${here ?? `${host}, an address that browsers do not open`}`);
  const where = publicUrl === null ? 'on the network' : 'for everybody ';
  for (const url of others) if (url !== here) console.log(`${where}  ${url}`);
  if (problem !== null) console.log(`on the network  other addresses are not known: ${problem}`);
  const url = publicUrl ?? here ?? first;
  if (url !== undefined) console.log(`on a projector  ${url.replace(/\/$/, '')}/watch`);
  if (metricsPort !== null) console.log(`metrics         at /metrics on port ${metricsPort}`);
  if (first !== undefined && process.stdout.isTTY)
    console.log(`\n${renderUnicodeCompact(first, { border: 2 })}`);
}

/** What keeps the server from starting, in one line. */
function explain(error: unknown, environment: NodeJS.ProcessEnv): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : undefined;
  const given = 'port' in error ? String(error.port) : '';
  const name = given === environment['METRICS_PORT'] ? 'METRICS_PORT' : 'PORT';
  if (code === 'EADDRINUSE' && given === '0') return 'no port is free';
  if (code === 'EADDRINUSE') return `port ${given} is in use; choose another with ${name}`;
  if (code === 'EACCES') return `port ${given} may not be opened by this user`;
  if (typeof code === 'string' && NO_SUCH_HOST.has(code))
    return `HOST ${environment['HOST'] ?? ''} is no address of this machine`;
  return error.message;
}

// The log's reader is gone: nothing can be told.
process.stderr.on('error', () => undefined);

try {
  const options = readOptions(process.env);
  const server = await startServer(options, fileURLToPath(new URL('../web', import.meta.url)));
  const stop = () => {
    setTimeout(() => process.exit(0), SHUTDOWN).unref();
    void server.close().then(() => process.exit(0));
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // A program that reads this may end the server at once.
  announce(await server.reach(), options, server.metricsPort);
} catch (error) {
  console.error(explain(error, process.env));
  process.exit(1);
}
