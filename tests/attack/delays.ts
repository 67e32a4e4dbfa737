/** How long a server takes to answer while something goes on. */
import { get } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds between two requests for the server's health. */
const PROBES = 50;

/** Milliseconds until the server has answered on a new connection; Infinity where it has not. */
function delayOf(url: string): Promise<number> {
  const asked = performance.now();
  return new Promise((resolve) => {
    get(`${url}/healthz`, { agent: false, timeout: 30_000 }, (response) => {
      response.resume().once('end', () => {
        resolve(response.statusCode === 200 ? performance.now() - asked : Infinity);
      });
    })
      .on('timeout', function (this: { destroy(): void }) {
        this.destroy();
      })
      .on('error', () => {
        resolve(Infinity);
      });
  });
}

/** Asks repeatedly until told to stop; then returns all the delays, the least first. */
export function probe(url: string): () => Promise<readonly number[]> {
  const delays: number[] = [];
  const over = new AbortController();
  const done = (async () => {
    while (!over.signal.aborted) {
      delays.push(await delayOf(url));
      await pause(PROBES);
    }
  })();
  return async () => {
    over.abort();
    await done;
    return delays.toSorted((one, other) => one - other);
  };
}

export const quantile = (sorted: readonly number[], share: number) =>
  sorted[Math.floor(share * sorted.length)] ?? Infinity;
