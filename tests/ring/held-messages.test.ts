import { describe, expect, test } from 'vitest';
import type { ElectionMessage } from '../../shared/protocol/messages.ts';
import { HeldMessages } from '../../shared/ring/held-messages.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { peerId } from '../support.ts';

const claim = (number: number): ElectionMessage => ({
  type: 'claim',
  term: 1,
  claim: { priority: 1, id: peerId(number) },
  hops: 1,
});

function stage() {
  const clock = new SimulatedClock();
  const held = new HeldMessages(clock);
  const sent: string[] = [];
  const add = (number: number, milliseconds: number) =>
    held.add(claim(number), milliseconds, () => {
      sent.push(`${number} at ${clock.now()}`);
    });
  const run = (until: number) => {
    while (clock.advance(until));
  };
  return { held, sent, add, run };
}

describe('C5: what a link holds', () => {
  test('is sent in order: nothing overtakes it, whatever its own delay (C5a)', () => {
    const { sent, add, run } = stage();
    expect(add(1, 2_000)).toBe(2_000);
    run(500);
    expect(add(2, 0)).toBe(1_500);
    expect(add(3, 100)).toBe(1_500);
    run(5_000);
    expect(sent).toEqual(['1 at 2000', '2 at 2000', '3 at 2000']);
    expect(add(4, 0)).toBe(0);
    expect(sent.at(-1)).toBe('4 at 5000');
  });

  test('is sent at once and in order when the link is given up for another (C5b)', () => {
    const { held, sent, add, run } = stage();
    add(1, 2_000);
    add(2, 2_000);
    run(300);
    held.flush();
    run(9_000);
    expect(sent).toEqual(['1 at 300', '2 at 300']);
  });

  test('can be taken back, and what is left keeps its time (C5d)', () => {
    const { held, sent, add, run } = stage();
    add(1, 1_000);
    add(2, 2_000);
    const isOfFirst = (message: ElectionMessage) =>
      message.type === 'claim' && message.claim.id === peerId(1);
    expect(held.discard(isOfFirst)).toEqual([claim(1)]);
    run(9_000);
    expect(sent).toEqual(['2 at 2000']);
    add(3, 1_000);
    expect(held.discard()).toEqual([claim(3)]);
    run(20_000);
    expect(sent).toHaveLength(1);
  });
});
