/** When the whole page comes, by a clock of the test's own. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RingState } from '../../shared/ring/events.ts';
import type { LogRecord } from '../../web/ring-member.ts';
import { untilQuiet } from '../../web/until-quiet.ts';
import { peerId } from '../support.ts';
import { ringState } from './ring-state.ts';

const IDS = [peerId(1), peerId(2)] as const;
const SETTLED = ringState(IDS, IDS[0]);
const UNSETTLED = ringState(IDS, IDS[0], { role: 'candidate', leader: null });

/** The program starts so many milliseconds after the page was asked for. */
const START = 400;

/** What a page draws by lot, 0 to 1. */
let chance = 0;

/** A member that is waited for, and what becomes of it. */
class Begun {
  ring: RingState;
  isInTrouble = false;
  readonly log: LogRecord[] = [];
  onChange: () => void = () => undefined;
  shown = 0;
  readonly told: RingState[] = [];
  /** In milliseconds of the program. */
  quietAt: number | null = null;

  constructor(ring: RingState) {
    this.ring = ring;
    const page = {
      show: () => {
        this.shown += 1;
      },
      tell: (state: RingState) => {
        this.told.push(state);
      },
    };
    void untilQuiet(this, page, () => chance).then(() => {
      this.quietAt = performance.now() - START;
    });
  }

  /** Something happens, so many milliseconds later. */
  async change(milliseconds: number, ring = this.ring): Promise<void> {
    await vi.advanceTimersByTimeAsync(milliseconds);
    this.ring = ring;
    this.onChange();
    await vi.advanceTimersByTimeAsync(0);
  }
}

beforeEach(async () => {
  chance = 0;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  await vi.advanceTimersByTimeAsync(START - performance.now());
});

afterEach(() => {
  vi.useRealTimers();
});

test('a member that has its place and leader at once waits for the least time', async () => {
  const member = new Begun(SETTLED);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(member.quietAt).toBe(300);
});

test('one that took long waits for half of that, counted from the last change', async () => {
  const member = new Begun(UNSETTLED);
  await member.change(1_600, SETTLED);
  await member.change(900);
  await vi.advanceTimersByTimeAsync(999);
  expect(member.quietAt).toBeNull();
  await vi.advanceTimersByTimeAsync(1);
  expect(member.quietAt).toBe(1_600 + 900 + 1_000);
});

test('one that loses its leader is waited for again, and gets the whole page where it is stuck', async () => {
  const member = new Begun(SETTLED);
  await member.change(200, UNSETTLED);
  await vi.advanceTimersByTimeAsync(9_999);
  expect(member.quietAt).toBeNull();
  await vi.advanceTimersByTimeAsync(1);
  expect(member.quietAt).toBe(10_200);
});

test('laps do not put it off', async () => {
  const member = new Begun(SETTLED);
  const event = { type: 'ring' } as const;
  member.log.push({ key: 1, at: 0, event, self: IDS[0], isLap: true, times: 1 });
  await member.change(200);
  await vi.advanceTimersByTimeAsync(100);
  expect(member.quietAt).toBe(300);
});

test('whatever goes on happening, the whole page is not waited for without end', async () => {
  const member = new Begun(UNSETTLED);
  for (let seconds = 1; seconds <= 61; seconds += 1) await member.change(1_000);
  expect(member.quietAt).toBe(60_000);
});

test('... and not by all tabs to the same moment', async () => {
  chance = 0.5;
  const member = new Begun(UNSETTLED);
  for (let seconds = 1; seconds <= 91; seconds += 1) await member.change(1_000);
  expect(member.quietAt).toBe(90_000);
});

test('in slow motion the whole page comes at once: there is something to see', async () => {
  const member = new Begun(UNSETTLED);
  await member.change(50, { ...UNSETTLED, hopDelay: 500 });
  expect(member.quietAt).toBe(50);
});

test('trouble is told on the whole page, at once', async () => {
  const member = new Begun(UNSETTLED);
  member.isInTrouble = true;
  await member.change(50);
  expect(member.quietAt).toBe(50);
});

test('changes that come together are shown together; words are spared for four seconds', async () => {
  const member = new Begun(UNSETTLED);
  member.onChange();
  member.onChange();
  await vi.advanceTimersByTimeAsync(0);
  expect(member.shown).toBe(2);
  await member.change(3_999);
  expect(member.told).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(member.told).toEqual([UNSETTLED]);
  await member.change(10, SETTLED);
  expect(member.told).toEqual([UNSETTLED, SETTLED]);
});
