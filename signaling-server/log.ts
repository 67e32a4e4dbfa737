/** The server's log: JSON lines on stderr. It never waits for a reader. */
import { pino, type Logger } from 'pino';
import { printable } from '../shared/narration/printable.ts';

/**
 * The most bytes that wait for a reader. Lines beyond that are left out, and a later line gives their
 * number.
 */
const MAX_WAITING_BYTES = 1_048_576;

/**
 * pino's own destinations write with system calls that wait for a reader: in this thread, which then serves
 * no requests, or in another thread, which keeps the process from ending.
 */
export function createLogger(level: string): Logger {
  const { stderr } = process;
  let leftOut = 0;
  const write = (line: string) => {
    if (stderr.writableLength > MAX_WAITING_BYTES) {
      leftOut += 1;
      return;
    }
    // Lines quote what strangers send. JSON leaves controls other than those of ASCII as they are.
    stderr.write(`${printable(line.trimEnd())}\n`);
    if (leftOut === 0) return;
    const count = leftOut;
    leftOut = 0;
    logger.warn({ leftOut: count }, 'lines left out, as nobody read those before');
  };
  const logger = pino({ level, base: null }, { write });
  return logger;
}
