/** What is compared: the program and the floor, each a server process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const path = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url));

const CONTENDERS = {
  ours: path('../dist/signaling-server/main.js'),
  floor: path('floor.mjs'),
};

/** @typedef {keyof typeof CONTENDERS} Contender */

/**
 * @param {Contender} name
 * @returns its address, and what ends it
 */
export async function startServer(name) {
  const server = spawn(process.execPath, [CONTENDERS[name]], {
    env: { ...process.env, PORT: '0', HOST: '127.0.0.1', LOG_LEVEL: 'silent' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(server, 'exit');
  const lines = createInterface(server.stdout);
  const [line] = await Promise.race([once(lines, 'line'), ended]);
  const url = /^listening on (\S+)$/.exec(String(line))?.[1];
  if (url === undefined) throw new Error(`the server of ${name} did not start`);
  return {
    url: `${url}/`,
    stop: async () => {
      server.kill();
      await ended;
    },
  };
}
