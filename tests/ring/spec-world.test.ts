/** Rules of both SPECs in the simulated world. */
import { expect, test } from 'vitest';
import { World } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

test('R9d eras are told by the server’s clock, and grow although it is set back', () => {
  const world = new World(1);
  const eraOfOneAlone = () => {
    const peer = world.join();
    expect(world.settle(10_000)).toEqual([]);
    world.run(2_000);
    const { era } = peer.ring.state;
    world.leave(peer);
    world.run(1_000);
    return defined(era);
  };
  const first = eraOfOneAlone();
  world.run(3_600_000);
  const second = eraOfOneAlone();
  expect(second - first).toBeGreaterThan(3_600_000);
  expect(second - first).toBeLessThan(3_620_000);
  world.setServerClock(-7_200_000);
  expect(eraOfOneAlone()).toBe(second + 1);
});
