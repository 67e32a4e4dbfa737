/** Whether this tab's device has more to do than this tab, as far as a page can tell. */

/** A program that runs so many milliseconds after it could is not alone on its device. */
const BUSY = 200;

/** Known once the program runs: by how late that is, and by how late the page was drawn before. */
export function isDeviceBusy(): boolean {
  if (performance.getEntriesByName('device-busy').length > 0) return true;
  const [ready] = performance.getEntriesByName('program-ready');
  return ready !== undefined && performance.now() - ready.startTime > BUSY;
}
