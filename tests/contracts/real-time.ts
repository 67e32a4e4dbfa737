/** Waiting in real time, in Node and in a page. */

/** Milliseconds that anything may take on a busy machine. */
const PATIENCE = 10_000;

/** Resolves once it is so, and looks often; rejects where it takes too long. */
export async function untilTrue(isSo: () => boolean): Promise<void> {
  const limit = performance.now() + PATIENCE;
  while (!isSo()) {
    if (performance.now() > limit) throw new Error(`not so after ${PATIENCE} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
