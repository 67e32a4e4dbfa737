/** A process started by the driver, and its messages. */
import { spawn, type ChildProcess } from 'node:child_process';
import { parse } from '../../shared/protocol/ids.ts';
import { FromProcessSchema, type FromProcess, type Memory, type ToProcess } from './messages.ts';

/** How long a living process may take to answer, in milliseconds, on a busy machine. */
const PATIENCE = 30_000;

/** Characters kept of a process's stderr. */
const MAX_COMPLAINTS = 4_000;

export class Child {
  readonly name: string;
  readonly #process: ChildProcess;
  readonly #onFault: (what: string) => void;
  readonly #answers = new Map<number, (answer: FromProcess) => void>();
  readonly #ended: Promise<void>;
  readonly #ready: Promise<void>;
  #requests = 0;
  #isToEnd = false;
  #hasEnded = false;
  #output = '';
  #complaints = '';

  /**
   * Starts a process.
   * @param name for people
   * @param command program and arguments
   * @param onFault called with what must not happen in it, its end included
   */
  constructor(
    name: string,
    [program = '', ...parameters]: readonly string[],
    environment: Readonly<Record<string, string>>,
    onFault: (what: string) => void,
  ) {
    this.name = name;
    this.#onFault = (what) => {
      onFault(`${name}: ${what}`);
    };
    this.#process = spawn(program, parameters, {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    this.#process.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
    });
    this.#process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = (this.#complaints + text).slice(-MAX_COMPLAINTS);
    });
    this.#ended = new Promise((resolve) => {
      this.#process.once('close', (status, signal) => {
        this.#hasEnded = true;
        if (!this.#isToEnd)
          this.#onFault(
            `it ended by itself, ${signal ?? `status ${status ?? '?'}`}:\n${this.#complaints}`,
          );
        resolve();
      });
    });
    this.#process.on('error', (error) => {
      if (!this.#isToEnd) this.#onFault(error.message);
    });
    this.#ready = new Promise((resolve) => {
      this.#process.on('message', (input) => {
        const message = parse(FromProcessSchema, input);
        if (!message.ok) this.#onFault(`said something invalid: ${message.error}`);
        else if (message.value.type === 'ready') resolve();
        else this.#hear(message.value);
      });
    });
  }

  /** The end of its stderr. */
  get complaints(): string {
    return this.#complaints;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** All of its stdout. */
  get output(): string {
    return this.#output;
  }

  /** Until it has reported that it is ready, or is gone. */
  async whenReady(): Promise<void> {
    await Promise.race([this.#ready, this.#ended]);
  }

  send(message: ToProcess): void {
    if (this.#isToEnd || !this.#process.connected) return;
    this.#process.send(message);
  }

  async states(): Promise<Extract<FromProcess, { type: 'states' }> | null> {
    const answer = await this.#ask((request) => ({ type: 'states', request }));
    return answer?.type === 'states' ? answer : null;
  }

  async memory(): Promise<Memory | null> {
    const answer = await this.#ask((request) => ({ type: 'memory', request }));
    return answer?.type === 'memory' ? answer.memory : null;
  }

  async history(slot: number): Promise<readonly string[]> {
    const answer = await this.#ask((request) => ({ type: 'history', request, slot }));
    return answer?.type === 'history' ? answer.lines : [];
  }

  /**
   * Kills it, as a crash would, and waits until it is gone.
   * @param signal `SIGTERM` asks it to end
   */
  async kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#isToEnd = true;
    this.#process.kill(signal);
    await this.#ended;
  }

  /** The answer, or null where the process ended before it gave one. */
  async #ask(question: (request: number) => ToProcess): Promise<FromProcess | null> {
    const request = (this.#requests += 1);
    const answer = new Promise<FromProcess>((resolve) => {
      this.#answers.set(request, resolve);
    });
    this.send(question(request));
    const { promise: late, cancel } = afterPatience();
    const heard = await Promise.race([answer, this.#ended, late]);
    cancel();
    this.#answers.delete(request);
    if (heard === 'late') {
      this.#onFault(`no answer within ${PATIENCE / 1000} s`);
      return null;
    }
    return heard ?? null;
  }

  #hear(message: Exclude<FromProcess, { type: 'ready' }>): void {
    if (message.type === 'fault') this.#onFault(message.what);
    else this.#answers.get(message.request)?.(message);
  }
}

function afterPatience(): { promise: Promise<'late'>; cancel: () => void } {
  const over = new AbortController();
  const promise = new Promise<'late'>((resolve) => {
    const timer = setTimeout(resolve, PATIENCE, 'late');
    over.signal.addEventListener('abort', () => {
      clearTimeout(timer);
    });
  });
  return {
    promise,
    cancel: () => {
      over.abort();
    },
  };
}
