/** A reference: a mesh of y-webrtc, with the signaling server that it comes with. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { listen, programServer } from './page-server.mjs';

/** That server says at which port it listens only as it was told. */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const port = await freePort();
process.env.PORT = String(port);
// Not among what the package exports.
await import(new URL('../node_modules/y-webrtc/bin/server.js', import.meta.url).href);
await listen(await programServer('y-webrtc.page.mjs', { SIGNALING_PORT: port }));
