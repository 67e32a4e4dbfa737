/**
 * `npm run dev`: the page with hot reload on PORT (3000), and a signaling server beside it that
 * starts anew whenever its code changes. Tabs reconnect by themselves.
 */
import { spawn } from 'node:child_process';
import { ensureInstalled } from './ensure-installed.mjs';
import { fail, root, run, tsc } from './run.mjs';

await ensureInstalled();
const { createServer } = await import('vite');

// Once before anything watches the result.
const { status, output } = await run([...tsc, '-b', 'signaling-server']);
if (status !== 0) fail(`${output}the build failed`);

/** Where the page's own server passes Socket.IO on to. */
const SIGNALING_PORT = 3999;

const watching = [
  spawn(
    process.execPath,
    [...tsc.slice(1), '-b', 'signaling-server', '--watch', '--preserveWatchOutput'],
    {
      cwd: root,
      stdio: 'inherit',
    },
  ),
  spawn(process.execPath, ['--watch', 'dist/signaling-server/main.js'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PORT: String(SIGNALING_PORT), HOST: '127.0.0.1' },
  }),
];

const vite = await createServer({
  configFile: `${root}/vite.config.ts`,
  server: {
    host: true,
    port: Number(process.env.PORT ?? 3000),
    strictPort: true,
    proxy: { '/socket.io': { target: `http://127.0.0.1:${SIGNALING_PORT}`, ws: true } },
  },
});
await vite.listen();
vite.printUrls();

async function stop() {
  for (const child of watching) child.kill();
  await vite.close();
  process.exit(0);
}
process.on('SIGINT', stop).on('SIGTERM', stop);
