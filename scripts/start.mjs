/** `npm start`: installs and builds what is missing, then serves page and signaling. */
import { build } from './build.mjs';
import { ensureInstalled } from './ensure-installed.mjs';

// Until the server handles signals itself, a signal ends the build, and that is not a failure. The exit
// comes after the other listeners, which end the running commands.
const stop = () => setImmediate(() => process.exit(0));
process.on('SIGINT', stop).on('SIGTERM', stop);

await ensureInstalled();
await build();
await import('../dist/signaling-server/main.js');
process.off('SIGINT', stop).off('SIGTERM', stop);
