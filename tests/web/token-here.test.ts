import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ElectionMessage } from '../../shared/protocol/messages.ts';
import { LEAST_BETWEEN_CHANGES, TokensHere, type Pulse } from '../../web/token-here.ts';
import { peerId } from '../support.ts';

let here: TokensHere;
let pulses: (Pulse | null)[];

beforeEach(() => {
  vi.useFakeTimers();
  pulses = [];
  here = new TokensHere(() => {
    const { pulse } = here.now;
    if (pulse !== pulses.at(-1)) pulses.push(pulse);
  });
});

afterEach(() => {
  vi.useRealTimers();
});

const claim = (number: number): ElectionMessage => ({
  type: 'claim',
  term: 1,
  claim: { id: peerId(number), priority: 1 },
  hops: 1,
});

function hold(number: number, milliseconds: number): void {
  here.add({ type: 'holding', message: claim(number), milliseconds }, 'candidate');
}

function send(number: number): void {
  here.add({ type: 'sent', message: claim(number), to: peerId(9) }, 'candidate');
}

test('a token is here at once, from holding to sent', () => {
  hold(1, 1_000);
  expect(here.now).toMatchObject({ origin: peerId(1), count: 1, pulse: { origin: peerId(1) } });
  vi.advanceTimersByTime(1_000);
  send(1);
  expect(here.now).toEqual({ origin: null, count: 1, pulse: null });
});

test('of several that are held the first is here, then the next', () => {
  hold(1, 1_000);
  hold(2, 1_000);
  expect(here.now.origin).toBe(peerId(1));
  send(1);
  expect(here.now).toMatchObject({ origin: peerId(2), count: 2 });
});

test('one that is never sent does not stay', () => {
  hold(1, 1_000);
  vi.advanceTimersByTime(3_000);
  expect(here.now.origin).toBeNull();
});

test.each([
  { type: 'left' },
  { type: 'vanished' },
  { type: 'refused', code: 'place-lost', message: 'gone' },
] as const)('none is here once the membership is over: $type', (end) => {
  hold(1, 1_000);
  hold(2, 1_000);
  vi.advanceTimersByTime(LEAST_BETWEEN_CHANGES);
  here.add(end, 'offline');
  expect(here.now).toEqual({ origin: null, count: 2, pulse: null });
});

test('a member that goes on without a server of another version keeps its token', () => {
  hold(1, 1_000);
  here.add({ type: 'refused', code: 'version', message: 'different versions' }, 'follower');
  expect(here.now.origin).toBe(peerId(1));
});

test('the screen changes at most 2.5 times a second, and ends on what is true', () => {
  const changes: number[] = [];
  for (let round = 1; round <= 40; round += 1) {
    const before = pulses.length;
    hold(round, 20);
    vi.advanceTimersByTime(20);
    send(round);
    vi.advanceTimersByTime(5);
    if (pulses.length > before) changes.push(round * 25);
  }
  expect(here.now.count).toBe(40);
  expect(changes.length).toBeGreaterThan(1);
  for (const [number, at] of changes.slice(1).entries())
    expect(at - (changes[number] ?? 0)).toBeGreaterThanOrEqual(LEAST_BETWEEN_CHANGES - 50);
  vi.advanceTimersByTime(LEAST_BETWEEN_CHANGES);
  expect(here.now.pulse).toBeNull();
  expect(pulses.length).toBeLessThanOrEqual(4);
});
