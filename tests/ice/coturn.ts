/** A real TURN server, which is a STUN server as well. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

const PORT = 3_478;

/** Milliseconds between two looks whether it listens. */
const LOOK = 50;

export const TURN_SECRET = 'the secret of the TURN server';

/** What a signaling server is to be told of it. */
export interface TurnServer {
  readonly stun: string;
  readonly udp: string;
  readonly tcp: string;
}

/** Starts one that ends with the test. */
export async function startCoturn(host: string): Promise<TurnServer> {
  const coturn = spawn(
    'turnserver',
    [
      ...['-n', '--no-cli', '--no-tls', '--no-dtls', '--log-file=stdout', '--simple-log'],
      ...[`--listening-ip=${host}`, `--relay-ip=${host}`, `--listening-port=${PORT}`],
      ...['--use-auth-secret', `--static-auth-secret=${TURN_SECRET}`, '--realm=ring.example'],
      '--pidfile=',
    ],
    { stdio: 'ignore' },
  );
  onTestFinished(async () => {
    coturn.kill('SIGKILL');
    if (coturn.exitCode === null && coturn.signalCode === null) await once(coturn, 'exit');
  });
  while (!(await listens(host))) {
    if (coturn.exitCode !== null) throw new Error(`turnserver ended: status ${coturn.exitCode}`);
    await pause(LOOK);
  }
  const address = `${host}:${PORT}`;
  return {
    stun: `stun:${address}`,
    udp: `turn:${address}?transport=udp`,
    tcp: `turn:${address}?transport=tcp`,
  };
}

function listens(host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port: PORT });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
