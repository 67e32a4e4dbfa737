/** Rules of both SPECs in the simulated world. */
import { expect, test } from 'vitest';
import { isLap } from '../../shared/protocol/messages.ts';
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
  const third = eraOfOneAlone();
  expect(third).toBeGreaterThan(second);
  expect(third).toBeLessThan(second + 2_000);
});

test('C1a the census adds up what each peer has sent in the term, but for laps', () => {
  const world = new World(1);
  for (let joined = 0; joined < 6; joined += 1) world.join();
  expect(world.settle(30_000)).toEqual([]);
  for (const { ring } of world.peers) ring.campaign();
  world.run(10_000);
  expect(world.problems()).toEqual([]);
  const term = defined(world.states[0]?.term);
  const sent = world.trace.filter(
    ({ event }) => event.type === 'sent' && event.message.term === term && !isLap(event.message),
  );
  expect(sent.length).toBeGreaterThan(11);
  for (const { ring } of world.states) expect(ring).toMatchObject({ term, messages: sent.length });
});
