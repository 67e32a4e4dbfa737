/** PeerJS's own signaling server, alone. */
import { PeerServer } from 'peer';

const MOST = 20_000;

PeerServer({ port: 0, host: '127.0.0.1', path: '/', concurrent_limit: MOST }, (server) => {
  console.log(`listening on http://localhost:${server.address().port}`);
});
