/** The directory in a real Redis: what is promised of it, and that it answers as the state machine does. */
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  answer,
  newDirectory,
  type Answer,
  type Question,
} from '../../shared/instances/directory.ts';
import { RedisDirectory } from '../../signaling-server/redis-directory.ts';
import { directoryPromises } from '../contracts/directory.ts';
import { roomName } from '../support.ts';
import { startRedis, type RedisServer } from './redis-server.ts';

let server: RedisServer;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis();
  redis = new Redis(server.url);
});

afterAll(async () => {
  redis.disconnect();
  await server.end();
});

describe('the directory in Redis', () => {
  const LASTS = 400;
  directoryPromises(() => {
    const directory = new RedisDirectory(redis, LASTS);
    return {
      ask: (question) => directory.ask(question),
      // Its clock is nobody's to set.
      pass: (factor) => pause(factor * LASTS),
    };
  });

  test('keeps the record of a room for a day', async () => {
    const directory = new RedisDirectory(redis);
    const room = roomName('kept');
    await directory.ask({ type: 'renew', self: 'a', isNew: true, era: 0, keep: [] });
    await directory.ask({ type: 'claim', self: 'a', room, era: 0 });
    const [key = ''] = await redis.keys('*:room:kept');
    expect(await redis.pttl(key)).toBeGreaterThan(86_000_000);
    await redis.pexpire(key, 1_000);
    await directory.ask({ type: 'renew', self: 'b', isNew: true, era: 0, keep: [room] });
    expect(await redis.pttl(key)).toBeLessThanOrEqual(1_000);
    await directory.ask({ type: 'renew', self: 'a', isNew: false, era: 0, keep: [room] });
    expect(await redis.pttl(key)).toBeGreaterThan(86_000_000);
  });
});

const instance = fc.constantFrom('a', 'b', 'c');
const room = fc.constantFrom('lobby', 'hall').map(roomName);
/** None is later than the directory's own: those depend on its clock. */
const era = fc.nat(1_000);

const question: fc.Arbitrary<Question> = fc.oneof(
  fc.record({
    type: fc.constant('renew' as const),
    self: instance,
    isNew: fc.boolean(),
    era,
    keep: fc.array(room, { maxLength: 2 }),
  }),
  fc.record({ type: fc.constant('claim' as const), self: instance, room, era }),
  fc.record({ type: fc.constant('release' as const), self: instance, room }),
  fc.record({ type: fc.constant('drain' as const), self: instance }),
);

/** What both say alike: eras are of two clocks. */
function comparable(said: Answer): object {
  if (said.type === 'renewed') return { ...said, live: said.live.toSorted() };
  return said.type === 'granted' ? { ...said, era: null } : said;
}

test('any questions are answered as the state machine answers them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(question, { maxLength: 30 }), async (questions) => {
      await redis.flushall();
      const inRedis = new RedisDirectory(redis, 60_000);
      const model = newDirectory(60_000);
      let last = 0;
      for (const asked of questions) {
        const said = await inRedis.ask(asked);
        expect(comparable(said)).toEqual(comparable(answer(model, asked, Date.now())));
        if (said.type !== 'granted') continue;
        expect(said.era).toBeGreaterThanOrEqual(last === 0 ? 0 : last + 1_000);
        last = said.era;
      }
    }),
    { numRuns: 150 },
  );
});
