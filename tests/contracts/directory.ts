/** What instances rely on of a directory, whichever keeps it. */
import { expect, test } from 'vitest';
import {
  ERAS_PER_GRANT,
  type Answer,
  type InstanceId,
  type Question,
} from '../../shared/instances/directory.ts';
import type { RoomName } from '../../shared/protocol/ids.ts';
import { defined, roomName } from '../support.ts';

export interface DirectoryUnderTest {
  ask(question: Question): Promise<Answer>;
  /** Lets time pass: as long as leases last, times a factor. */
  pass(factor: number): Promise<void>;
}

let names = 0;

/** A name that no test has had. */
function fresh(kind: string): string {
  names += 1;
  return `${kind}-${process.pid}-${names}`;
}

function freshRoom(): RoomName {
  return roomName(fresh('room'));
}

/** @param open a directory with leases of a short time */
export function directoryPromises(open: () => DirectoryUnderTest): void {
  const renew = (self: InstanceId, isNew: boolean, era = 0) =>
    open().ask({ type: 'renew', self, isNew, era, keep: [] });
  const claim = (self: InstanceId, room: RoomName, era = 0) =>
    open().ask({ type: 'claim', self, room, era });
  const newInstance = async () => {
    const self = fresh('instance');
    expect(await renew(self, true)).toMatchObject({ type: 'renewed' });
    return self;
  };
  const grantOf = async (self: InstanceId, room: RoomName, era = 0) => {
    const answer = await claim(self, room, era);
    if (answer.type !== 'granted') throw new Error(answer.type);
    return answer;
  };

  test('S1a a room is the first one’s that claims it, and no other’s', async () => {
    const [one, other, room] = [await newInstance(), await newInstance(), freshRoom()];
    expect(await grantOf(one, room)).toMatchObject({ isLost: false });
    expect(await claim(other, room)).toEqual({ type: 'held', by: one });
  });

  test('S1a of a hundred that claim a room at once one is given it', async () => {
    const room = freshRoom();
    const instances = await Promise.all(Array.from({ length: 100 }, newInstance));
    const answers = await Promise.all(instances.map((self) => claim(self, room)));
    expect(answers.filter(({ type }) => type === 'granted')).toHaveLength(1);
    expect(answers.filter(({ type }) => type === 'held')).toHaveLength(99);
  });

  test('S1b one without a lease is given nothing, and renews nothing', async () => {
    const self = fresh('instance');
    expect(await claim(self, freshRoom())).toEqual({ type: 'unknown' });
    expect(await renew(self, false)).toEqual({ type: 'unknown' });
  });

  test('all that have a lease are named at a renewal', async () => {
    const [one, other] = [await newInstance(), await newInstance()];
    const answer = await renew(one, false);
    expect(answer.type === 'renewed' && answer.live).toEqual(expect.arrayContaining([one, other]));
  });

  test('S1b a room is another’s once the lease is over, as one that is lost, and the lease with it', async () => {
    const [one, room] = [await newInstance(), freshRoom()];
    const other = await newInstance();
    const { era } = await grantOf(one, room);
    await open().pass(0.6);
    await renew(other, false);
    // Nobody has renewed since it was over.
    await open().pass(0.6);
    const answer = await grantOf(other, room);
    expect(answer.isLost).toBe(true);
    expect(answer.era).toBeGreaterThanOrEqual(era + ERAS_PER_GRANT);
    expect(await renew(one, false)).toEqual({ type: 'unknown' });
    expect(await claim(one, room)).toEqual({ type: 'unknown' });
  });

  test('a lease that is renewed is not over', async () => {
    const [one, other, room] = [await newInstance(), await newInstance(), freshRoom()];
    await grantOf(one, room);
    for (let times = 0; times < 4; times += 1) {
      await open().pass(0.4);
      expect(await renew(one, false)).toMatchObject({ type: 'renewed' });
      expect(await renew(other, false)).toMatchObject({ type: 'renewed' });
    }
    expect(await claim(other, room)).toEqual({ type: 'held', by: one });
  });

  test('S1f a room that is given back is new to the next', async () => {
    const [one, other, room] = [await newInstance(), await newInstance(), freshRoom()];
    const { era } = await grantOf(one, room);
    expect(await open().ask({ type: 'release', self: other, room })).toEqual({ type: 'done' });
    expect(await claim(other, room)).toEqual({ type: 'held', by: one });
    await open().ask({ type: 'release', self: one, room });
    const answer = await grantOf(other, room);
    expect(answer.isLost).toBe(false);
    expect(answer.era).toBeGreaterThanOrEqual(era + ERAS_PER_GRANT);
    // Too late.
    await open().ask({ type: 'release', self: one, room });
    expect(await claim(one, room)).toEqual({ type: 'held', by: other });
  });

  test('an instance that gives all up leaves its rooms at once, as lost ones', async () => {
    const [one, other, room] = [await newInstance(), await newInstance(), freshRoom()];
    await grantOf(one, room);
    await open().ask({ type: 'drain', self: one });
    expect(await grantOf(other, room)).toMatchObject({ isLost: true });
    expect(await renew(one, false)).toEqual({ type: 'unknown' });
  });

  test('one that claims a room of its own again has lost what was there', async () => {
    const [one, room] = [await newInstance(), freshRoom()];
    const { era } = await grantOf(one, room);
    const again = await grantOf(one, room);
    expect(again).toMatchObject({ isLost: true });
    expect(again.era).toBeGreaterThan(era);
  });

  test('S2a S2b S2c each grant has a later era than all before, and than those that are told', async () => {
    const [one, other] = [await newInstance(), await newInstance()];
    const eras: number[] = [];
    for (const self of [one, other, one, other]) eras.push((await grantOf(self, freshRoom())).era);
    expect(eras).toEqual(eras.toSorted((a, b) => a - b));
    const latest = defined(eras.at(-1));
    for (const era of eras) expect(era).toBeGreaterThan(latest - 4 * ERAS_PER_GRANT - 60_000);
    const told = latest + 50_000;
    await renew(one, false, told);
    expect((await grantOf(other, freshRoom())).era).toBeGreaterThanOrEqual(told + ERAS_PER_GRANT);
    const brought = told + 1_000_000;
    expect((await grantOf(other, freshRoom(), brought)).era).toBeGreaterThan(brought);
  });

  test('records that are kept are those of one’s own', async () => {
    const [one, other, room] = [await newInstance(), await newInstance(), freshRoom()];
    await grantOf(one, room);
    const kept = await open().ask({
      type: 'renew',
      self: other,
      isNew: false,
      era: 0,
      keep: [room],
    });
    expect(kept).toMatchObject({ type: 'renewed' });
    expect(await claim(other, room)).toEqual({ type: 'held', by: one });
  });
}
