/** Until when a leader is confirmed, by the clocks of the peer that names it (shared/election/SPEC.md, R10). */
import { describe, expect, test } from 'vitest';
import { isConfirmed, leaseFor, type Lease } from '../../shared/member/leader-patience.ts';
import { World } from '../../shared/simulation/world.ts';
import { defined } from '../support.ts';

describe('R10: a lease', () => {
  test('ends by the clock that never falls, and by the date (R10b)', () => {
    const date = 1e12;
    const holds = (lease: Lease | null, now: number, ahead = 0) =>
      isConfirmed(lease, { now, date: date + now + ahead });
    expect(holds(null, 0)).toBe(false);
    const lease = leaseFor(3_000, { now: 0, date });
    expect(lease.date).toBe(date + 3_000);
    expect(holds(lease, 0)).toBe(true);
    expect(holds(lease, 2_999)).toBe(true);
    expect(holds(lease, 3_000)).toBe(false);
    // The device has slept, and one of the clocks stood still meanwhile.
    expect(holds(lease, 0, 3_000)).toBe(false);
    expect(holds(lease, 3_000, -3_000)).toBe(false);
  });
});

/** Two peers that agree, the leader first. */
function pair(seed: number) {
  const world = new World(seed);
  world.join();
  world.join();
  expect(world.settle(20_000)).toEqual([]);
  world.run(3_000);
  const leader = defined(world.peers.find(({ ring }) => ring.state.role === 'leader'));
  const follower = defined(world.peers.find((peer) => peer !== leader));
  return { world, leader, follower };
}

describe('R10: a leader', () => {
  test('is confirmed as long as its laps return, and each lap prolongs that (R10a)', () => {
    const { world, leader, follower } = pair(1);
    for (let second = 0; second < 20; second += 1) {
      const before = leader.ring.state.confirmedUntil;
      world.run(2_000);
      for (const { ring } of [leader, follower]) {
        expect(ring.state.isConfirmed).toBe(true);
        expect(ring.state.confirmedUntil).toBeGreaterThan(world.clock.now());
      }
      expect(leader.ring.state.confirmedUntil).toBeGreaterThan(defined(before));
    }
    expect(world.trace.filter(({ event }) => event.type === 'confirmation')).toEqual([]);
  });

  test('that nobody hears any more is not confirmed within seconds, and says so once (R10b)', () => {
    const { world, leader } = pair(2);
    const began = world.trace.length;
    const { id } = leader.ring.state;
    world.blip(leader, 50, 60_000);
    world.breakLinks(leader, false);
    world.run(8_000);
    expect(leader.ring.state).toMatchObject({ role: 'leader', isConfirmed: false });
    expect(leader.ring.state.confirmedUntil).toBeLessThan(world.clock.now());
    const told = world.trace
      .slice(began)
      .filter(({ peer, event }) => peer === id && event.type === 'confirmation');
    expect(told.map(({ event }) => event)).toEqual([
      { type: 'confirmation', leader: id, isConfirmed: false },
    ]);
  });

  test('that has slept is not confirmed in the moment that it wakes up', () => {
    const { world, leader } = pair(3);
    world.freeze(leader, 6_000);
    // Nothing of what it missed has been handled yet: this is what its own code sees first.
    world.run(5_999);
    expect(leader.ring.state).toMatchObject({ role: 'leader', isConfirmed: false });
  });

  test('is not confirmed to a follower that is cut off, and is again when it hears it', () => {
    const { world, follower } = pair(4);
    const { id, leader } = follower.ring.state;
    const began = world.trace.length;
    world.blip(follower, 20_000, 10_000);
    world.breakLinks(follower, true);
    world.run(9_500);
    expect(follower.ring.state).toMatchObject({ role: 'follower', leader, isConfirmed: false });
    world.run(15_000);
    expect(world.settle(20_000)).toEqual([]);
    expect(world.states.map(({ isConfirmed }) => isConfirmed)).toEqual([true, true]);
    const told = world.trace
      .slice(began)
      .flatMap(({ peer, event }) =>
        peer === id && event.type === 'confirmation' ? [event.isConfirmed] : [],
      );
    expect(told[0]).toBe(false);
  });
});
