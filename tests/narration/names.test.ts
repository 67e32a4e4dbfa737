import { expect, test } from 'vitest';
import { parsePeerId, type PeerId } from '../../shared/protocol/ids.ts';
import { hueOf, nameOf } from '../../shared/narration/names.ts';
import { randomUuid, seededRandom } from '../../shared/simulation/random.ts';
import { peerId, valueOf } from '../support.ts';

const id = (uuid: string) => valueOf(parsePeerId(uuid));

/** A change of these would rename whole rooms, on some devices and not on others. */
test.each([
  ['00000000-0000-4000-8000-000000000001', 'perky kestrel', 58],
  ['00000000-0000-4000-8000-000000000002', 'gifted elk', 333],
  ['5d14f3c2-0b7e-4c55-9a53-3f1f6f0a7e21', 'ample squid', 86],
  ['ffffffff-ffff-4fff-bfff-ffffffffffff', 'super badger', 221],
])('the peer %s is "%s", of hue %i', (uuid, name, hue) => {
  expect([nameOf(id(uuid)), hueOf(id(uuid))]).toEqual([name, hue]);
});

test('a name is two short words', () => {
  for (const peer of many(2_000)) expect(nameOf(peer)).toMatch(/^[a-z]{3,8} [a-z]{2,8}$/);
});

test('neighbouring uuids get names and hues that are not alike', () => {
  const peers = Array.from({ length: 256 }, (_, at) => peerId(at));
  expect(new Set(peers.map(nameOf)).size).toBeGreaterThan(245);
  const halves = peers.flatMap((peer) => nameOf(peer).split(' '));
  expect(new Set(halves).size).toBeGreaterThan(200);
  // Far apart on average, as for two random hues: 90 degrees.
  const apart = peers.slice(1).map((peer, at) => distance(hueOf(peer), hueOf(peerId(at))));
  expect(mean(apart)).toBeGreaterThan(75);
  expect(mean(apart)).toBeLessThan(105);
});

test('a class of 60 has about 60 names', () => {
  const random = seededRandom(1);
  const doubles = Array.from(
    { length: 400 },
    () => 60 - new Set(many(60, random).map(nameOf)).size,
  );
  // 60 · 59 / 2 pairs, each alike once in 128 · 128.
  expect(mean(doubles)).toBeCloseTo((60 * 59) / 2 / 128 ** 2, 1);
  expect(Math.max(...doubles)).toBeLessThanOrEqual(2);
});

test('all words and hues are in use, and about equally', () => {
  const peers = many(50_000);
  for (const half of [0, 1]) {
    const counts = grouped(peers, (peer) => nameOf(peer).split(' ')[half]);
    expect(counts.size).toBe(128);
    for (const { length } of counts.values()) expect(length).toBeGreaterThan(390 * 0.7);
  }
  expect(new Set(peers.map(hueOf)).size).toBe(360);
});

test('peers that share a name do not share a hue', () => {
  const alike = [...grouped(many(20_000), nameOf).values()].filter(({ length }) => length > 1);
  const apart = alike.map(([one, other]) =>
    one === undefined || other === undefined ? 0 : distance(hueOf(one), hueOf(other)),
  );
  expect(mean(apart)).toBeGreaterThan(80);
});

function many(count: number, random = seededRandom(7)): PeerId[] {
  return Array.from({ length: count }, () => id(randomUuid(random)));
}

function grouped(
  peers: readonly PeerId[],
  keyOf: (peer: PeerId) => string | undefined,
): Map<string, PeerId[]> {
  const groups = new Map<string, PeerId[]>();
  for (const peer of peers) {
    const key = keyOf(peer) ?? '';
    groups.set(key, [...(groups.get(key) ?? []), peer]);
  }
  return groups;
}

function distance(one: number, other: number): number {
  const way = Math.abs(one - other);
  return Math.min(way, 360 - way);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
