/** What the projector page makes of traces: elections on one time axis, to move through. */
import { describe, expect, test } from 'vitest';
import { diagramOf } from '../../web/watch/diagram.ts';
import { electionOf, stateAt, theoryOf, type Election } from '../../web/watch/election.ts';
import { leaderOf, MAX_ELECTIONS, MAX_HAPPENINGS, Recording } from '../../web/watch/recording.ts';
import type { PeerTrace } from '../../shared/protocol/watch.ts';
import { defined, peerId } from '../support.ts';
import {
  announcement,
  claim,
  holding,
  received,
  traceOf,
  sent,
  standing,
  threeTraces,
} from './traces.ts';

const THREE = [1, 2, 3].map(peerId);

function recordingOf(traces: PeerTrace[], order = THREE): Recording {
  const recording = new Recording();
  recording.setOrder(order);
  recording.add({ traces, missed: 0 });
  return recording;
}

function record(traces: PeerTrace[], order = THREE): Election {
  return electionOf(defined(recordingOf(traces, order).election()));
}

const statesAt = (election: Election, time: number) => [...stateAt(election, time).states.values()];

/** No message arrives before it is sent, and no peer's second event is before its first. */
function expectCausal({ arrows }: Election): void {
  for (const { sentAt, receivedAt } of arrows)
    if (sentAt !== null && receivedAt !== null) expect(receivedAt).toBeGreaterThanOrEqual(sentAt);
}

describe('an election of three', () => {
  test('has each message once, whatever the order in which traces come', () => {
    for (const traces of [threeTraces(), threeTraces().toReversed()]) {
      const { arrows, term } = record(traces);
      expect(term).toBe(1);
      expect(arrows.map(({ from, to, message }) => [from, to, message.type, message.hops])).toEqual(
        [
          [peerId(1), peerId(2), 'claim', 1],
          [peerId(2), peerId(3), 'claim', 1],
          [peerId(3), peerId(1), 'claim', 1],
          [peerId(1), peerId(2), 'claim', 2],
          [peerId(2), peerId(3), 'claim', 3],
          [peerId(3), peerId(1), 'elected', 1],
          [peerId(1), peerId(2), 'elected', 2],
          [peerId(2), peerId(3), 'elected', 3],
        ],
      );
      expect(new Set(arrows.map(({ key }) => key)).size).toBe(arrows.length);
      expect(arrows.every(({ receivedAt }) => receivedAt !== null)).toBe(true);
    }
  });

  test('begins with all idle and ends with a leader and its followers', () => {
    const election = record(threeTraces());
    expect(stateAt(election, 0)).toMatchObject({ messages: 0, tokens: [], leader: null });
    expect(statesAt(election, 0)).toEqual(['idle', 'idle', 'idle']);
    expect(statesAt(election, election.duration)).toEqual(['follower', 'follower', 'leader']);
    expect(stateAt(election, election.duration)).toMatchObject({
      messages: 8,
      tokens: [],
      leader: peerId(3),
    });
  });

  test('begins with all idle, too, where the starter sends its first message long after it started', () => {
    const election = record([
      traceOf(2, [received(902, 1, claim(1, 1))]),
      traceOf(1, [standing(1, 'candidate', null), sent(900, 2, claim(1, 1))]),
      traceOf(3, []),
    ]);
    expect(statesAt(election, 0)).toEqual(['idle', 'idle', 'idle']);
    expect(statesAt(election, defined(election.moments[1]))).toEqual(['candidate', 'idle', 'idle']);
  });

  test('shows at each moment who claims, who is beaten, and what is on its way', () => {
    const election = record(threeTraces());
    const begin = defined(election.moments[1]);
    const later = (milliseconds: number) => begin + milliseconds;
    expect(statesAt(election, later(1))).toEqual(['candidate', 'idle', 'idle']);
    expect(stateAt(election, later(1)).tokens).toMatchObject([
      { arrow: { from: peerId(1), to: peerId(2) }, progress: 0.5 },
    ]);
    expect(statesAt(election, later(7))).toEqual(['candidate', 'candidate', 'candidate']);
    expect(statesAt(election, later(10))).toEqual(['beaten', 'candidate', 'candidate']);
    expect(statesAt(election, later(13))).toEqual(['beaten', 'beaten', 'candidate']);
    expect(statesAt(election, later(15.5))).toEqual(['beaten', 'beaten', 'leader']);
    // Back again: nothing is kept from one look to the next.
    expect(statesAt(election, later(1))).toEqual(['candidate', 'idle', 'idle']);
  });

  test('of which a peer’s trace is missing shows what the others saw', () => {
    const { arrows } = record(threeTraces().slice(0, 2));
    const fromThree = arrows.filter(({ from }) => from === peerId(3));
    expect(fromThree.map(({ sentAt }) => sentAt)).toEqual([null, null]);
    const toThree = arrows.filter(({ to }) => to === peerId(3));
    expect(toThree.map(({ receivedAt, outcome }) => [receivedAt, outcome])).toEqual(
      Array(3).fill([null, null]),
    );
    expect(arrows).toHaveLength(8);
  });

  test('counts messages that are alike as many, and matches them in order', () => {
    const message = claim(1, 1);
    const { arrows } = record([
      traceOf(1, [sent(1, 2, message), sent(5, 2, message)]),
      traceOf(2, [received(3, 1, message), received(7, 1, message)]),
    ]);
    expect(arrows.map(({ sentAt, receivedAt }) => (receivedAt ?? 0) - (sentAt ?? 0))).toEqual([
      2, 2,
    ]);
    expect(new Set(arrows.map(({ key }) => key)).size).toBe(2);
  });
});

describe('the hop delay', () => {
  /** 1 holds its claim for a second, then 2 holds it; that 2 has sent it is told later, if at all. */
  const slow = (isSentOn: boolean) =>
    record([
      traceOf(1, [holding(10, 1_000, claim(1, 1)), sent(1_010, 2, claim(1, 1))]),
      traceOf(2, [
        received(1_012, 1, claim(1, 1)),
        holding(1_012, 1_000, claim(1, 2)),
        ...(isSentOn ? [sent(2_015, 3, claim(1, 2))] : []),
      ]),
    ]);
  const heldAt = (election: Election, time: number) =>
    stateAt(election, time).holds.map(({ peer }) => peer);

  test('shows a message at the peer that holds it, from receipt to sending', () => {
    const election = slow(true);
    expect(election.holds.map(({ until, from }) => until - from)).toEqual([
      expect.closeTo(1_000, 6),
      expect.closeTo(1_003, 6),
    ]);
    const begin = defined(election.moments[1]);
    expect(heldAt(election, begin - 1)).toEqual([]);
    expect(heldAt(election, begin + 1)).toEqual([peerId(1)]);
    expect(statesAt(election, begin + 1)).toEqual(['candidate', 'idle', 'idle']);
    expect(heldAt(election, begin + 999)).toEqual([peerId(1)]);
    expect(heldAt(election, begin + 1_500)).toEqual([peerId(2)]);
    expect(election.duration).toBeCloseTo(election.last, 6);
  });

  test('a message is in one place only: on its way, then at the peer', () => {
    const election = slow(true);
    const sending = defined(election.arrows[0]).sentAt ?? 0;
    for (let time = sending + 0.5; time < sending + 900; time += 5) {
      const { tokens, holds } = stateAt(election, time);
      expect(tokens.length + holds.length).toBe(1);
    }
  });

  test('lets time go on until what is held is to be sent, and keeps it there until it is', () => {
    const election = slow(false);
    expect(election.duration - election.last).toBeCloseTo(1_000, 6);
    expect(heldAt(election, election.last + 500)).toEqual([peerId(2)]);
    expect(heldAt(election, election.duration)).toEqual([peerId(2)]);
  });
});

describe('clocks', () => {
  test('that are hours apart make no difference', () => {
    const together = record(threeTraces());
    const apart = record(threeTraces([7_200_000, 1_000, 0]));
    expect(apart.arrows.map(({ key }) => key)).toEqual(together.arrows.map(({ key }) => key));
    expect(apart.duration).toBeCloseTo(together.duration, 6);
  });

  test('are set by the quickest trace', () => {
    const recording = recordingOf([
      traceOf(1, [standing(1, 'candidate', null)], { ahead: 1_900 }),
      traceOf(1, [standing(2, 'candidate', null)], { ahead: 1_030, first: 1 }),
      traceOf(1, [sent(3, 2, claim(1, 1))], { ahead: 1_400, first: 2 }),
      traceOf(2, [received(4, 1, claim(1, 1))]),
    ]);
    expect(defined(recording.election()).offsets.get(peerId(1))).toBeCloseTo(1_030, 0);
    // Also by one that comes later.
    recording.add({
      traces: [traceOf(1, [standing(9, 'candidate', null)], { ahead: 1_010, first: 3 })],
      missed: 0,
    });
    expect(defined(recording.election()).offsets.get(peerId(1))).toBeCloseTo(1_010, 0);
  });

  test.each([
    ['slow', 180],
    ['fast', -180],
  ] as const)(
    'that are %s by 50 in a million are set anew: each election has what was right then',
    (_, drift) => {
      const hour = 3_600_000;
      const recording = recordingOf(threeTraces());
      recording.add({
        traces: [
          traceOf(1, [sent(hour, 2, claim(1, 1, 2)), received(hour + 8, 3, claim(3, 1, 2))], {
            ahead: 1_000 + drift,
            first: 7,
          }),
          traceOf(3, [sent(hour + drift + 7, 1, claim(3, 1, 2))], { first: 6 }),
        ],
        missed: 0,
      });
      expect(recording.election(1)?.offsets.get(peerId(1))).toBe(1_000);
      expect(recording.election(2)?.offsets.get(peerId(1))).toBe(1_000 + drift);
      expect(recording.election(2)?.offsets.get(peerId(3))).toBe(1_000);
    },
  );

  test.each([
    ['5 ms', [1_005, 995, 1_000]],
    ['40 ms', [960, 1_040, 1_000]],
    ['half a second', [1_500, 1_000, 500]],
  ] as const)('thought wrong by %s turn no arrow back', (_, wrong) => {
    const traces = threeTraces().map((each, at) => ({
      ...each,
      at: each.at + (wrong[at] ?? 0) - 1_000,
    }));
    const election = record(traces);
    expectCausal(election);
    expect(election.arrows.every(({ receivedAt }) => receivedAt !== null)).toBe(true);
    expect(statesAt(election, election.duration)).toEqual(['follower', 'follower', 'leader']);
  });

  test('are left alone where they are right', () => {
    const { arrows } = record(threeTraces());
    expect(arrows.map(({ sentAt, receivedAt }) => (receivedAt ?? 0) - (sentAt ?? 0))).toEqual([
      2, 2, 2, 2, 2, 1, 2, 2,
    ]);
  });

  test('of liars whose messages were sent after they were received come to an end', () => {
    const election = record([
      traceOf(1, [received(1, 2, claim(2, 1)), sent(2, 2, claim(1, 1))]),
      traceOf(2, [received(1, 1, claim(1, 1)), sent(2, 1, claim(2, 1))]),
    ]);
    expect(election.arrows).toHaveLength(2);
  });
});

describe('a recording', () => {
  test('counts what it was not told', () => {
    const recording = recordingOf([
      traceOf(1, [standing(1, 'follower', 3)]),
      traceOf(1, [standing(2, 'follower', 3)], { first: 5, lost: 2 }),
    ]);
    expect(recording.missed).toBe(4 + 2);
  });

  test('counts once what the server had no room for', () => {
    const recording = recordingOf([traceOf(1, [standing(1, 'follower', 3)])]);
    recording.add({ traces: [], missed: 10 });
    recording.add({ traces: [traceOf(1, [standing(2, 'follower', 3)], { first: 11 })], missed: 0 });
    expect(recording.missed).toBe(10);
  });

  test('begins with the first trace of each peer, whatever its number', () => {
    const recording = recordingOf([traceOf(1, [standing(1, 'follower', 3)], { first: 70 })]);
    expect(recording.missed).toBe(0);
  });

  test('keeps the last election, not the highest term that one peer tells of', () => {
    const recording = recordingOf(threeTraces());
    recording.add({
      traces: [traceOf(2, [sent(99, 3, claim(2, 1, 4_000_000_000))], { first: 7 })],
      missed: 0,
    });
    expect(recording.election()?.term).toBe(1);
  });

  /** An election of two messages, told by so many peers. */
  function addElection(recording: Recording, term: number, tellers: number): void {
    const both = [
      traceOf(1, [sent(1, 2, claim(1, 1, term))]),
      traceOf(2, [sent(1, 3, announcement(3, 1, 0, term))]),
    ];
    recording.add({ traces: both.slice(0, tellers), missed: 0 });
  }

  test('keeps the last few elections, each with who was elected', () => {
    const recording = recordingOf([]);
    for (let term = 1; term <= MAX_ELECTIONS + 4; term += 1) addElection(recording, term, 2);
    const { elections } = recording;
    expect(elections.map(({ term }) => term)).toEqual(
      Array.from({ length: MAX_ELECTIONS }, (_, at) => at + 5),
    );
    expect(elections.every(({ leader }) => leader === peerId(3))).toBe(true);
    expect(recording.election(7)?.term).toBe(7);
    expect(recording.election(2)?.term).toBe(MAX_ELECTIONS + 4);
  });

  test('loses none of them to terms that one peer makes up', () => {
    const recording = recordingOf([]);
    addElection(recording, 1, 2);
    for (let term = 1_000; term < 1_100; term += 1) addElection(recording, term, 1);
    expect(recording.elections.map(({ term }) => term)).toEqual([1]);
  });

  test('of an election is the same until there is more of it: nothing is worked out twice', () => {
    const recording = recordingOf(threeTraces());
    addElection(recording, 2, 2);
    const scripts = [recording.election(1), recording.election(2)];
    addElection(recording, 3, 2);
    expect([recording.election(1), recording.election(2)]).toEqual(scripts);
    expect(recording.election(1)).toBe(scripts[0]);
    recording.add({ traces: [traceOf(1, [sent(9, 2, claim(1, 1, 2))], { first: 9 })], missed: 0 });
    expect(recording.election(1)).toBe(scripts[0]);
    expect(recording.election(2)).not.toBe(scripts[1]);
  });

  test('has the laps of the leader apart from the election', () => {
    const recording = recordingOf(threeTraces());
    recording.add({
      traces: [
        traceOf(3, [sent(50, 1, announcement(3, 1, 8))], { first: 6 }),
        traceOf(1, [received(51, 3, announcement(3, 1, 8))], { first: 7 }),
      ],
      missed: 0,
    });
    expect(electionOf(defined(recording.election())).arrows).toHaveLength(8);
    expect(electionOf(defined(recording.lap)).arrows).toHaveLength(1);
    expect(recording.lap?.happenings).toHaveLength(2);
  });

  test('is of another ring when all peers are others', () => {
    const recording = recordingOf(threeTraces());
    recording.setOrder([2, 3, 4].map(peerId));
    expect(recording.election()?.term).toBe(1);
    recording.setOrder([5, 6].map(peerId));
    expect(recording.election()).toBe(null);
    expect(recording.standings.size).toBe(0);
  });

  test('is of the same ring when its peers are back after a time without any', () => {
    const recording = recordingOf(threeTraces());
    recording.setOrder([]);
    expect(recording.standings.size).toBe(0);
    expect(recording.election()?.order).toEqual(THREE);
    recording.setOrder([peerId(2)]);
    expect(recording.elections).toHaveLength(1);
    recording.setOrder([]);
    recording.setOrder([5, 6].map(peerId));
    expect(recording.elections).toHaveLength(0);
  });

  test('keeps the ring of an election that goes on while there is no order', () => {
    const recording = recordingOf(threeTraces().slice(0, 2));
    recording.setOrder([]);
    expect(recording.election()?.order).toEqual(THREE);
  });

  test('has no order until it is told of one', () => {
    const recording = new Recording();
    expect(recording.order).toBe(null);
    recording.setOrder([]);
    expect(recording.order).toEqual([]);
  });

  test('keeps the ring of an election that is over as it was', () => {
    const recording = recordingOf(threeTraces());
    recording.setOrder([1, 2, 3, 4].map(peerId));
    expect(recording.election()?.order).toEqual(THREE);
  });

  test('is bounded', () => {
    const recording = recordingOf([]);
    const entries = Array.from({ length: 1_000 }, (_, at) => sent(at, 2, claim(1, 1)));
    for (let first = 0; first < MAX_HAPPENINGS + 3_000; first += 1_000)
      recording.add({
        traces: [traceOf(1, entries, { first }), traceOf(2, [sent(1, 3, claim(1, 2))], { first })],
        missed: 0,
      });
    expect(recording.election()?.happenings).toHaveLength(MAX_HAPPENINGS);
    expect(recording.missed).toBeGreaterThanOrEqual(3_000);
    for (let term = 2; term < 30; term += 1)
      recording.add({
        traces: [1, 2].map((peer) => traceOf(peer, [sent(1, 2, claim(1, 1, term))])),
        missed: 0,
      });
    expect(recording.election()?.term).toBe(29);
  });
});

describe('the diagram', () => {
  test('has no arrow that goes back in time or all the way up', () => {
    const diagram = diagramOf(record(threeTraces()), {
      width: 800,
      height: 300,
      label: 100,
      font: 12,
    });
    expect(diagram.lines.map(({ id, isRepeated }) => [id, isRepeated])).toEqual([
      ...THREE.map((id) => [id, false]),
      [peerId(1), true],
    ]);
    for (const { path } of diagram.arrows) {
      const [x1, y1, x2, y2] = (path.match(/-?[\d.]+/g) ?? []).map(Number);
      expect(x2).toBeGreaterThanOrEqual(defined(x1));
      expect(defined(y2) - defined(y1)).toBeCloseTo(diagram.gap, 1);
    }
  });

  test('has what a peer is once, where it became something else in the same moment', () => {
    const election = record([
      traceOf(1, [sent(10, 2, claim(1, 1)), sent(10, 2, claim(3, 2))]),
      traceOf(3, [sent(9, 1, claim(3, 1))]),
      traceOf(2, [
        received(12, 1, claim(1, 1), 'answered'),
        sent(12, 3, claim(2, 1)),
        received(12, 1, claim(3, 2)),
        sent(15, 3, claim(3, 3)),
      ]),
    ]);
    expect(election.changes.filter(({ peer }) => peer === peerId(2))).toHaveLength(2);
    const { lines } = diagramOf(election, { width: 800, height: 300, label: 100, font: 12 });
    const spans = lines.map((line) => line.spans);
    expect(spans[1]?.map(({ state }) => state)).toEqual(['idle', 'beaten']);
    for (const of of spans) expect(new Set(of.map(({ from }) => from)).size).toBe(of.length);
  });

  test('has what is held on the line of its peer, as long as it is', () => {
    const election = record([
      traceOf(1, [holding(10, 1_000, claim(1, 1)), sent(1_010, 2, claim(1, 1))]),
      traceOf(2, [received(1_012, 1, claim(1, 1)), holding(1_012, 500, claim(1, 2))]),
    ]);
    const diagram = diagramOf(election, { width: 800, height: 300, label: 100, font: 12 });
    const [first, second] = diagram.holds.map(({ from, to }) => to - from);
    expect(diagram.holds.map(({ y }) => y)).toEqual(diagram.lines.slice(0, 2).map(({ y }) => y));
    expect(first).toBeCloseTo(2 * defined(second), 6);
  });

  test('leaves room for time to come while an election goes on, and none once it is over', () => {
    const frame = { width: 800, height: 300, label: 100, font: 12 };
    const over = record(threeTraces());
    expect(diagramOf(over, frame).extent).toBe(over.duration);
    const [one] = threeTraces();
    const going = record([defined(one), traceOf(2, [sent(20, 3, claim(2, 1))])]);
    expect(diagramOf(going, frame).extent).toBeGreaterThan(going.duration);
    expect(diagramOf({ ...going, duration: going.duration + 0.01 }, frame).extent).toBe(
      diagramOf(going, frame).extent,
    );
  });

  test.each([3, 12, 30, 60, 100])('of %i peers has no names that touch, and fits', (size) => {
    const peers = Array.from({ length: size }, (_, at) => peerId(at + 1));
    const election = { ...record(threeTraces()), peers };
    for (const height of [230, 400]) {
      const diagram = diagramOf(election, { width: 800, height, label: 100, font: 14 });
      expect(diagram.height).toBeLessThanOrEqual(height + 1);
      const named = diagram.lines.filter(({ isNamed }) => isNamed);
      // The leader's among them.
      expect(named.some(({ id }) => id === peerId(3))).toBe(true);
      for (const [at, { y }] of named.slice(1).entries())
        expect(y - defined(named[at]).y).toBeGreaterThanOrEqual(diagram.font * 0.99);
    }
  });

  test('fits what it is given', () => {
    for (const width of [320, 1_800]) {
      const diagram = diagramOf(record(threeTraces()), {
        width,
        height: 300,
        label: 100,
        font: 12,
      });
      const xs = diagram.lines.flatMap(({ spans }) => spans.flatMap(({ from, to }) => [from, to]));
      expect(Math.min(...xs)).toBe(100);
      expect(Math.max(...xs)).toBeLessThanOrEqual(width);
    }
  });
});

test('the leader is the peer that more than half of the ring name, in the same term', () => {
  const { standings } = recordingOf(threeTraces());
  const states = [...standings.values()];
  const other = defined(states[0]);
  expect(leaderOf(states, 3)).toEqual({ id: peerId(3), term: 1 });
  expect(leaderOf(states, 6)).toBe(null);
  expect(leaderOf([...states.slice(1), { ...other, term: 9, leader: peerId(1) }], 4)).toBe(null);
});

test('the theory counts n·Hₙ + n messages on average and n(n+1)/2 + n at worst', () => {
  expect(theoryOf(1)).toEqual({ mean: 2, worst: 2 });
  expect(theoryOf(3)).toEqual({ mean: 8.5, worst: 9 });
  expect(theoryOf(12).mean).toBeCloseTo(49.24, 2);
});
