/** Lines for the log that strangers cause, limited per kind and minute: they must not fill the disk. */
import type { Logger } from 'pino';

/**
 * Lines of one kind in a minute: of what somebody may have to see to, and of what happens. Further ones are
 * counted, and the number is logged at the minute's end.
 */
const MOST = { warn: 1, info: 30 } as const;
const MINUTE = 60_000;

interface Kind {
  lines: number;
  readonly level: keyof typeof MOST;
  readonly end: ReturnType<typeof setTimeout>;
}

export class Warnings {
  readonly #logger: Logger;
  /** The kinds with lines in the last minute. */
  readonly #kinds = new Map<string, Kind>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Writes a warning, or counts it.
   * @param kind one of a few: no part of what a client sends
   */
  warn(kind: string, details: object, message: string): void {
    this.#write('warn', kind, details, message);
  }

  /** The same for what happens in the ordinary course of things. */
  info(kind: string, details: object, message: string): void {
    this.#write('info', kind, details, message);
  }

  /** Logs how many were left out so far. */
  close(): void {
    for (const kind of this.#kinds.keys()) this.#end(kind);
  }

  #write(level: keyof typeof MOST, kind: string, details: object, message: string): void {
    const known = this.#kinds.get(kind) ?? this.#begin(kind, level);
    known.lines += 1;
    if (known.lines <= MOST[level]) this.#logger[level](details, message);
  }

  #begin(kind: string, level: keyof typeof MOST): Kind {
    const end = setTimeout(() => this.#end(kind), MINUTE);
    end.unref();
    const begun = { lines: 0, level, end };
    this.#kinds.set(kind, begun);
    return begun;
  }

  #end(kind: string): void {
    const known = this.#kinds.get(kind);
    if (known === undefined) return;
    clearTimeout(known.end);
    this.#kinds.delete(kind);
    const leftOut = known.lines - MOST[known.level];
    if (leftOut > 0) this.#logger[known.level]({ kind, leftOut }, 'more lines of this kind');
  }
}
