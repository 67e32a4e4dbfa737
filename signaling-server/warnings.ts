/** Warnings for the log, limited per kind and minute: strangers must not fill the disk. */
import type { Logger } from 'pino';

/** Lines of one kind in a minute. Further ones are counted, and the number is logged at the minute's end. */
const MAX_PER_MINUTE = 30;
const MINUTE = 60_000;

interface Kind {
  written: number;
  leftOut: number;
  readonly end: ReturnType<typeof setTimeout>;
}

export class Warnings {
  readonly #logger: Logger;
  /** The kinds with warnings in the last minute. */
  readonly #kinds = new Map<string, Kind>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Writes a warning, or counts it.
   * @param kind one of a few: no part of what a client sends
   * @param most lines of the kind in a minute
   */
  warn(kind: string, details: object, message: string, most = MAX_PER_MINUTE): void {
    let known = this.#kinds.get(kind);
    if (known === undefined) {
      const end = setTimeout(() => this.#end(kind), MINUTE);
      end.unref();
      known = { written: 0, leftOut: 0, end };
      this.#kinds.set(kind, known);
    }
    if (known.written < most) {
      known.written += 1;
      this.#logger.warn(details, message);
    } else known.leftOut += 1;
  }

  /** Logs how many were left out so far. */
  close(): void {
    for (const kind of this.#kinds.keys()) this.#end(kind);
  }

  #end(kind: string): void {
    const known = this.#kinds.get(kind);
    if (known === undefined) return;
    clearTimeout(known.end);
    this.#kinds.delete(kind);
    const { leftOut } = known;
    if (leftOut > 0) this.#logger.warn({ kind, leftOut }, 'more warnings of this kind');
  }
}
