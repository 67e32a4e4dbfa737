/** The server's log: JSON lines on stderr, whether anybody reads them or not. */
import { pino, type Logger } from 'pino';

/** Bytes that may wait for a reader; lines beyond that are left out, and later it is said how many. */
const MAX_WAITING_BYTES = 1_048_576;

/**
 * pino's own destinations write by system calls that wait for a reader: in this thread, which then
 * serves nobody, or in another, which keeps the process from ending.
 */
export function createLogger(level: string): Logger {
  const { stderr } = process;
  let leftOut = 0;
  const write = (line: string) => {
    if (stderr.writableLength > MAX_WAITING_BYTES) {
      leftOut += 1;
      return;
    }
    stderr.write(line);
    if (leftOut === 0) return;
    const count = leftOut;
    leftOut = 0;
    logger.warn({ leftOut: count }, 'lines left out, as nobody read those before');
  };
  const logger = pino({ level, base: null }, { write });
  return logger;
}
