/** A real redis-server, which can be killed, stopped for a while and started again on its port. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export class RedisServer {
  readonly port: number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'redis-'));
  #process: ChildProcess | null = null;

  constructor(port: number) {
    this.port = port;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  /** Starts it with nothing in it, and waits until it answers. */
  async start(): Promise<void> {
    const options = ['--port', String(this.port), '--save', '', '--appendonly', 'no'];
    const more = ['--bind', '127.0.0.1', '--dir', this.#folder];
    const child = spawn('redis-server', [...options, ...more], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#process = child;
    let log = '';
    for await (const piece of child.stdout.setEncoding('utf8')) {
      log += String(piece);
      if (log.includes('Ready to accept connections')) break;
    }
    child.stdout.resume();
    if (!log.includes('Ready to accept connections')) throw new Error(`redis-server:\n${log}`);
  }

  /** It is gone at once, with all that it knew. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child?.exitCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** It is gone, and its folder. */
  async end(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true });
  }

  /** It keeps its connections and answers nothing until it is continued. */
  stop(): void {
    this.#process?.kill('SIGSTOP');
  }

  continue(): void {
    this.#process?.kill('SIGCONT');
  }
}

/** Starts one on a free port. */
export async function startRedis(): Promise<RedisServer> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  probe.close();
  await once(probe, 'close');
  const server = new RedisServer(address.port);
  await server.start();
  return server;
}
