/** Time travel: what was recorded of a peer leads to the same state and the same events again. */
import { describe, expect, test } from 'vitest';
import { encode, linesOf, parseRecordings } from '../../shared/simulation/recording-file.ts';
import { beginningOf, replay, type RunningRecording } from '../../shared/simulation/recording.ts';
import { runStorm, STORMS, type Storm } from '../../shared/simulation/storm.ts';
import { World } from '../../shared/simulation/world.ts';
import { defined, errorOf, valueOf } from '../support.ts';

function recordStorm(storm: Storm, seed: number): readonly RunningRecording[] {
  const recordings: RunningRecording[] = [];
  const onRecording = (recording: RunningRecording) => recordings.push(recording);
  runStorm(storm, seed, 5, { onRecording });
  return recordings;
}

describe.each(STORMS)('the recordings of a storm of %s', (storm) => {
  test.each([0, 1])('lead to equal states and events, from their file (seed %i)', (seed) => {
    const recordings = recordStorm(storm, seed);
    expect(recordings.length).toBeGreaterThanOrEqual(5);
    const read = valueOf(parseRecordings(linesOf(recordings)));
    expect(read).toHaveLength(recordings.length);
    for (const [at, recording] of read.entries()) {
      const member = beginningOf(recording);
      for (const { recorded, events } of replay(member, recording))
        expect(encode(events)).toBe(encode(recorded.events));
      expect(member).toEqual(defined(recordings[at]).member);
    }
  });
});

test('what is recorded changes nothing', () => {
  const { trace } = runStorm('mishaps', 3, 4, { onRecording: () => undefined });
  expect(trace).toEqual(runStorm('mishaps', 3, 4).trace);
});

test('a storm that must agree at once fails', () => {
  expect(runStorm('crashes', 1, 5, { within: 0 }).problems).toEqual([
    expect.stringMatching(/^agreed after .* ms, not 0 ms$/),
  ]);
});

test('a part of a recording leads to the state of that time', () => {
  const recordings: RunningRecording[] = [];
  const world = new World(1, { onRecording: (recording) => recordings.push(recording) });
  const { ring } = world.join();
  const [recording] = recordings;
  while (ring.state.role !== 'leader') world.run(1);
  const { turns, member } = defined(recording);
  const until = turns.length;
  const then = structuredClone(member);
  world.join();
  world.run(5_000);
  expect(turns.length).toBeGreaterThan(until);
  const again = beginningOf(defined(recording));
  const [...played] = replay(again, { ...defined(recording), turns: turns.slice(0, until) });
  expect(played).toHaveLength(until);
  expect(again).toEqual(then);
});

test.each([
  ['', 'line 1: '],
  ['{"turn":', 'line 1: '],
  ['BEGINNING\n{"input":{},"moment":{"now":0,"date":0},"draws":[],"events":[]}', 'line 2: input'],
])('a file that holds no recordings is refused: %j', (text, error) => {
  const [beginning] = linesOf(recordStorm('crashes', 0)).split('\n');
  expect(errorOf(parseRecordings(text.replace('BEGINNING', defined(beginning))))).toContain(error);
});
