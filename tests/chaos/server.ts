/** The shipped server in its own process, which can be killed and started again. */
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Child } from './child.ts';
import type { Memory } from './messages.ts';

const MAIN = fileURLToPath(new URL('../../signaling-server/main.js', import.meta.url));
const MEASURED = new URL('measured.js', import.meta.url).href;

export class ServerProcess {
  readonly #host: string;
  readonly #onFault: (what: string) => void;
  #child: Child | null = null;
  #port = 0;
  #lives = 0;
  #isUp = false;

  constructor(host: string, onFault: (what: string) => void) {
    this.#host = host;
    this.#onFault = onFault;
  }

  /** Its name, another for each life. */
  get name(): string {
    return `server ${this.#lives}`;
  }

  get url(): string {
    return `http://${this.#host}:${this.#port}`;
  }

  /** Whether it listens. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Starts it, on the port it had before if it had one, and waits until it listens. */
  async start(): Promise<void> {
    this.#lives += 1;
    const child = new Child(
      this.name,
      [process.execPath, '--expose-gc', '--import', MEASURED, MAIN],
      { HOST: this.#host, PORT: String(this.#port), LOG_LEVEL: 'warn' },
      this.#onFault,
    );
    this.#child = child;
    for (;;) {
      const port = /localhost:(\d+)/.exec(child.output)?.[1];
      if (port !== undefined) {
        this.#port = Number(port);
        this.#isUp = true;
        return;
      }
      if (child.hasEnded) throw new Error(`the server does not start:\n${child.complaints}`);
      await pause(10);
    }
  }

  /** Kills it without a goodbye. */
  async kill(): Promise<void> {
    this.#isUp = false;
    await this.#child?.kill();
    this.#child = null;
  }

  async memory(): Promise<Memory | null> {
    return (await this.#child?.memory()) ?? null;
  }

  /** The end of its log. */
  get log(): string {
    return this.#child?.complaints ?? '';
  }
}
