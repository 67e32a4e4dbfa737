/**
 * `npm run dev`: the page with hot reload on PORT (3000), and a signaling server beside it that restarts
 * whenever its code changes. Tabs reconnect on their own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createSocket } from 'node:net';
import { ensureInstalled } from './ensure-installed.mjs';
import { specialCharacter } from './plain-folder.mjs';
import { fail, root, run, tsc } from './run.mjs';

const port = Number(process.env.PORT || 3000);
if (!Number.isInteger(port) || port < 0 || port > 65_535)
  fail(`PORT must be a whole number from 0 to 65535, but is "${process.env.PORT}"`);

const character = specialCharacter();
if (character !== null) fail(`Vite takes no path with a "${character}": move ${root} elsewhere`);
await ensureInstalled();
const { createServer } = await import('vite');

/** A free port: the signaling server keeps it over its restarts. */
async function freePort() {
  const socket = createSocket().listen(0, '127.0.0.1');
  await once(socket, 'listening');
  const address = socket.address();
  socket.close();
  await once(socket, 'close');
  return address.port;
}

// Once before anything watches the result.
const { status, output } = await run([...tsc, '-b', 'signaling-server']);
if (status !== 0) fail(`${output}the build failed`);

const { isBlockedByBrowsers } = await import('../dist/signaling-server/browser-ports.js');
if (isBlockedByBrowsers(port))
  fail(`PORT must be a port that browsers do not block, but is "${port}"`);

const signalingPort = await freePort();
const vite = await createServer({
  configFile: `${root}/vite.config.ts`,
  server: {
    host: true,
    port,
    strictPort: true,
    proxy: {
      '/socket.io': { target: `http://127.0.0.1:${signalingPort}`, ws: true },
      '/addresses': `http://127.0.0.1:${signalingPort}`,
      '/leave': `http://127.0.0.1:${signalingPort}`,
    },
  },
});
try {
  await vite.listen();
} catch (error) {
  fail(
    /already in use/.test(error.message)
      ? `port ${port} is in use; choose another with PORT`
      : error.message,
  );
}
vite.printUrls();

const watching = [
  spawn(
    process.execPath,
    [...tsc.slice(1), '-b', 'signaling-server', '--watch', '--preserveWatchOutput'],
    { cwd: root, stdio: 'inherit' },
  ),
  spawn(process.execPath, ['--watch', 'dist/signaling-server/main.js'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PORT: String(signalingPort), HOST: '127.0.0.1', BASE_PATH: '' },
  }),
];

async function stop() {
  for (const child of watching) child.kill();
  await vite.close();
  process.exit(0);
}
process.on('SIGINT', stop).on('SIGTERM', stop);
