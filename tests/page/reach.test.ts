/** What is asked of a server that no WebSocket reaches, and what is made of the answers. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ReachWatch, readReach, type Reach } from '../../web/reach.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

test.each<[number, unknown, Reach]>([
  [200, { status: 'ok' }, { type: 'answer' }],
  [200, { status: 'ok', allowsOrigin: true, host: 'a' }, { type: 'answer' }],
  [200, { status: 'ok', allowsOrigin: false, host: 'a' }, { type: 'refusal', host: 'a' }],
  [200, { status: 'ok', allowsOrigin: false, host: 7 }, { type: 'refusal', host: '' }],
  [200, { status: 'fine' }, { type: 'stranger', status: 200 }],
  [200, null, { type: 'stranger', status: 200 }],
  [502, { status: 'ok' }, { type: 'stranger', status: 502 }],
])('status %i with %o is %o', (status, body, reach) => {
  expect(readReach(status, body)).toEqual(reach);
});

test('a lost server is asked every five seconds until it is found, and what comes later is not told', async () => {
  const told: (Reach | null)[] = [];
  const answers: ((reach: Reach) => void)[] = [];
  const watch = new ReachWatch(
    (reach) => told.push(reach),
    () => new Promise((resolve) => answers.push(resolve)),
  );
  watch.found();
  watch.lost();
  watch.lost();
  expect(answers).toHaveLength(1);
  answers[0]?.({ type: 'silence' });
  await vi.advanceTimersByTimeAsync(4_999);
  expect(answers).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers).toHaveLength(2);
  watch.found();
  answers[1]?.({ type: 'answer' });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual([{ type: 'silence' }, null]);
  expect(answers).toHaveLength(2);
});
