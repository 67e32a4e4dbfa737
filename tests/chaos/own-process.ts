/** A started process's own side of the IPC: its resource usage, and its faults. */
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
 * Listens to the driver, and ends with it: a run leaves nothing behind.
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

/** The resource usage of this process, after garbage collection. */
export function measure(): Memory {
  // A second collection frees what only the first one's garbage referred to.
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const descriptors = existsSync(DESCRIPTORS) ? readdirSync(DESCRIPTORS).length : null;
  const { code_and_metadata_size: code, bytecode_and_metadata_size: bytecode } =
    getHeapCodeStatistics();
  return { data: heapUsed - code - bytecode + external, rss, descriptors };
}
