/**
 * Gives peers their places in a ring, in the fewest lines, for the pages that Ringleader is compared with.
 *
 * As with ours, nobody says in advance how many tabs will come, the broker knows no more of the
 * election than ours does, and peers come, go and are killed at any time. What it leaves out is all
 * that a ring needs when something goes wrong: a link that does not come up stays down, and a lost
 * message is lost.
 */
import { WebSocketServer } from 'ws';

/**
 * Arrivals within this time, in milliseconds, are given their places together, as ours does it: it
 * spares links that would be replaced at once. 50 and 200 make no difference that shows; 0 is slower
 * with many tabs.
 */
const WINDOW = 100;

/**
 * A peer connects with its id as the query, is told its successor, and may send signals to other peers.
 * @param {import('node:http').Server} server
 */
export function brokerRing(server) {
  /** In ring order: each one's successor is the next, the last one's the first. */
  const ring = [];
  let arrived = [];
  let departures = 0;

  /** Tells each peer that has a new successor. */
  function tell() {
    for (const [at, peer] of ring.entries()) {
      const successor = ring[(at + 1) % ring.length].id;
      if (successor === peer.successor) continue;
      peer.successor = successor;
      peer.socket.send(JSON.stringify({ successor, epoch: departures }));
    }
  }

  function place() {
    ring.push(...arrived);
    arrived = [];
    tell();
  }

  new WebSocketServer({ server }).on('connection', (socket, { url }) => {
    const id = url.slice(2);
    const peer = { id, socket, successor: null };
    arrived.push(peer);
    if (arrived.length === 1) setTimeout(place, WINDOW);
    socket.on('message', (data) => {
      const { to, ...signal } = JSON.parse(data.toString());
      ring.find((other) => other.id === to)?.socket.send(JSON.stringify({ from: id, ...signal }));
    });
    socket.on('close', () => {
      arrived = arrived.filter((other) => other !== peer);
      if (!ring.includes(peer)) return;
      ring.splice(ring.indexOf(peer), 1);
      departures += 1;
      tell();
    });
  });
}
