/** A started process' own side of the IPC: what it takes up, what goes wrong in it. */
import { existsSync, readdirSync } from 'node:fs';
import { getHeapCodeStatistics } from 'node:v8';
import { parse } from '../../shared/protocol/ids.ts';
import { ToProcessSchema, type FromProcess, type Memory, type ToProcess } from './messages.ts';

const DESCRIPTORS = '/proc/self/fd';

/** Tells the driver something. */
export function tell(message: FromProcess): void {
  process.send?.(message);
}

/**
 * Listens to the driver, and ends with it: nothing is to be left of a run.
 * @param handle called with every message
 */
export function listen(handle: (message: ToProcess) => void): void {
  process.on('message', (input) => {
    const message = parse(ToProcessSchema, input);
    if (message.ok) handle(message.value);
    else tell({ type: 'fault', what: `the driver sent an invalid message: ${message.error}` });
  });
  process.on('disconnect', () => process.exit(1));
}

/** What this process takes up, all garbage gone. */
export function measure(): Memory {
  // Whatever is freed by one collection may be all that holds on to something else.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const descriptors = existsSync(DESCRIPTORS) ? readdirSync(DESCRIPTORS).length : null;
  const { code_and_metadata_size: code, bytecode_and_metadata_size: bytecode } =
    getHeapCodeStatistics();
  return { data: heapUsed - code - bytecode + external, rss, descriptors };
}
