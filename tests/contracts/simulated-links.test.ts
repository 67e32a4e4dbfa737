/** The links of the simulated network keep the contract. */
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { Device } from '../../shared/simulation/device.ts';
import { SimulatedNetwork } from '../../shared/simulation/network.ts';
import { seededRandom } from '../../shared/simulation/random.ts';
import type { LinkGround } from './link-promises.ts';
import { linkContract } from './links.ts';

/** Simulated milliseconds in which everything must have happened. */
const PATIENCE = 60_000;

function simulated(): LinkGround {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork(clock, seededRandom(1), { least: 1, most: 200 });
  const run = (isOver: () => boolean) => {
    const limit = clock.now() + PATIENCE;
    while (!isOver() && clock.advance(limit));
  };
  return {
    openFirst: network.port(new Device(clock, 1)),
    openSecond: network.port(new Device(clock, 2)),
    until: (isSo) => {
      run(isSo);
      return isSo() ? Promise.resolve() : Promise.reject(new Error('it never came true'));
    },
    calm: () => {
      run(() => false);
      return Promise.resolve();
    },
  };
}

linkContract('simulated network', simulated, {
  'text arrives as an empty frame': 'its frames are bytes and nothing else',
});
