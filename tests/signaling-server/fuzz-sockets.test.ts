/** Some of the visits of `npm run fuzz -- --sockets`: an honest peer does not notice, and all is counted. */
import { expect, test } from 'vitest';
import { visitOf } from '../attack/bad-input.ts';
import { RING_ROOM } from '../attack/attacks.ts';
import { refusalsAt, unaccounted, Visitors } from '../attack/visits.ts';
import { peerId, roomName } from '../support.ts';
import { ask, connect, joinRequest, startTestServer } from './test-server.ts';

const SEEDS = 120;
const FIRST = 5_000_000;

test('visits follow from their seeds', () => {
  for (let seed = 0; seed < SEEDS; seed += 1)
    expect(JSON.stringify(visitOf(seed))).toBe(JSON.stringify(visitOf(seed)));
  expect(JSON.stringify(visitOf(1))).not.toBe(JSON.stringify(visitOf(2)));
});

test('a server withstands bad input over sockets, and counts what it refuses', async () => {
  const server = await startTestServer();
  const honest = await connect(server);
  const views: unknown[] = [];
  honest.on('view', (view) => views.push(view));
  await ask(honest, 'join', joinRequest(1, { room: roomName(RING_ROOM) }));
  await ask(honest, 'settle');
  const before = await refusalsAt(server.url);
  const visitors = new Visitors(peerId(1));
  await Promise.all(
    Array.from({ length: 8 }, async (_, at) => {
      for (let seed = FIRST + at; seed < FIRST + SEEDS; seed += 8)
        await visitors.visit(seed, { port: server.port, from: `127.0.2.${at + 1}` });
    }),
  );
  const after = await refusalsAt(server.url);

  expect(unaccounted(visitors.outcomes, before, after)).toEqual([]);
  expect([...visitors.outcomes.keys()]).toEqual(
    expect.arrayContaining(['ok', 'malformed', 'not-joined', 'place-lost', 'id-taken']),
  );
  expect(server.signaling.peers(roomName(RING_ROOM))).toEqual([peerId(1)]);
  expect(views).toEqual([]);
  expect(honest.connected).toBe(true);
  expect(await ask(honest, 'lookup', peerId(1))).toEqual({ ok: true, isMember: true });
});

test('what the server has not counted is found, and what it has counted too often', () => {
  const heard = new Map([['id-taken', 2]]);
  const counted = (count: number) => unaccounted(heard, new Map(), new Map([['id-taken', count]]));
  expect(counted(2)).toEqual([]);
  expect(counted(1)).toEqual(['2 refusals were heard as id-taken, 1 counted']);
  expect(counted(3)).toEqual(['2 refusals were heard as id-taken, 3 counted']);
});
