/** The simulated server keeps the contract. */
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { Device } from '../../shared/simulation/device.ts';
import { SimulatedNetwork } from '../../shared/simulation/network.ts';
import { seededRandom } from '../../shared/simulation/random.ts';
import { SimulatedServer, SOCKET_CLOSE, type Route } from '../../shared/simulation/server.ts';
import { signalingContract, type SignalingGround } from './signaling.ts';

/** Simulated milliseconds in which everything must have happened. */
const PATIENCE = 60_000;

/** Until a peer notices that its connection is lost and tries again. */
const BACK = 300;

function simulated(): SignalingGround {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork(clock, seededRandom(1), { least: 1, most: 200 });
  const server = new SimulatedServer(network);
  let devices = 0;
  return {
    newWay: () => {
      devices += 1;
      const device = new Device(clock, devices);
      const route: Route = { device, isLeft: false, connection: null, holder: null };
      const lose = () => {
        server.lose(route, SOCKET_CLOSE, BACK);
      };
      return { signaling: server.port(route), lose, goodbye: () => route.holder };
    },
    until: async (isSo) => {
      const limit = clock.now() + PATIENCE;
      while (!isSo()) {
        if (!clock.advance(limit)) throw new Error(`not so after ${PATIENCE} ms`);
        // What waits for a reply goes on between two events.
        await Promise.resolve();
      }
    },
  };
}

signalingContract('simulated server', simulated);
