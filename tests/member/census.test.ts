/** With which of its laps a leader tells the others of the ring that it knows (member/SPEC.md, C2). */
import { expect, test } from 'vitest';
import { extensionsFor, initialCensus, takeCensus } from '../../shared/member/census.ts';
import { ByteWriter } from '../../shared/protocol/bytes.ts';
import type { ElectedMessage } from '../../shared/protocol/messages.ts';
import { peerId } from '../support.ts';

const SELF = { id: peerId(1), link: 'direct' } as const;
const RING = 3;

function announcement(lap: number, hops: number): ElectedMessage {
  const decision = { leader: { priority: 1, id: SELF.id }, lap, size: 1, hops };
  return { type: 'elected', term: 1, decision };
}

test('C2b a leader tells of the ring with the next two laps after a change, then with every fourth', () => {
  const census = initialCensus();
  const told: number[] = [];
  for (let lap = 1; lap <= 16; lap += 1) {
    const along = extensionsFor(census, SELF, announcement(lap, 0), []);
    if (along.some(({ type }) => type === RING)) told.push(lap);
    if (lap < 5) continue;
    // It comes home with the leader in it alone, and is news the first time.
    const value = new ByteWriter().u32(0).u8(0).id(SELF.id).finish();
    const isNews = takeCensus(census, announcement(lap, 1), [{ type: 2, value }], true);
    expect(isNews).toBe(lap === 5);
  }
  expect(told).toEqual([6, 7, 8, 12, 16]);
});
