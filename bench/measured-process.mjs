/** Loaded before a server that is measured: tells what it has used, after garbage collection, when asked. */
process.on('message', () => {
  // Before the collection, which is not the server's own work.
  const { user, system } = process.cpuUsage();
  // A second collection frees what only the first one's garbage referred to.
  globalThis.gc();
  globalThis.gc();
  process.send({ cpu: user + system, rss: process.memoryUsage().rss });
});
process.on('disconnect', () => process.exit());
