/** A reference: the same election over PeerJS, with PeerJS's own server, and places by the floor's broker. */
import { PeerServer } from 'peer';
import { listen, programServer } from './page-server.mjs';
import { brokerRing } from './ring-broker.mjs';

PeerServer({ port: 0, host: '127.0.0.1' }, async (signaling) => {
  const server = await programServer('peerjs.page.mjs', {
    SIGNALING_PORT: signaling.address().port,
  });
  brokerRing(server);
  await listen(server);
});
