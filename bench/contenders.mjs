/** What is compared: the program, the floor and the references, each a server process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const path = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url));

const CONTENDERS = {
  ours: path('../dist/signaling-server/main.js'),
  floor: path('floor.mjs'),
  peerjs: path('peerjs.mjs'),
  'y-webrtc': path('y-webrtc.mjs'),
};

/** @typedef {keyof typeof CONTENDERS} Contender */

/** @type {Partial<Record<Contender, Promise<{ url: string, stop: () => Promise<void> }>>>} */
const running = {};

/**
 * Has one server of each for all runs: a server's code takes longer when it runs for the first time,
 * which is measured by itself, once.
 * @param {Contender} name
 * @returns {Promise<string>} its address
 */
export async function serverOf(name) {
  return (await (running[name] ??= startServer(name))).url;
}

export async function stopServers() {
  for (const server of await Promise.allSettled(Object.values(running)))
    if (server.status === 'fulfilled') await server.value.stop();
}

/**
 * @param {Contender} name
 * @returns its address, and what ends it
 */
async function startServer(name) {
  const server = spawn(process.execPath, [CONTENDERS[name]], {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'silent' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = () => server.kill();
  // However this process ends.
  process.once('exit', kill);
  const ended = once(server, 'exit').finally(() => process.off('exit', kill));
  const url = await addressIn(createInterface(server.stdout));
  if (url === undefined) {
    kill();
    throw new Error(`the server of ${name} did not start`);
  }
  return {
    url: `${url}/`,
    stop: async () => {
      kill();
      await ended;
    },
  };
}

/** A library's own server may say something before. */
async function addressIn(lines) {
  for await (const line of lines) {
    const url = /^listening on (\S+)$/.exec(line)?.[1];
    if (url !== undefined) return url;
  }
}
