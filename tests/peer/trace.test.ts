/** The trace that a peer sends to the spectators of its ring. */
import { describe, expect, test } from 'vitest';
import type { ElectionMessage } from '../../shared/protocol/messages.ts';
import { MAX_ENTRIES, parseTrace, type Trace } from '../../shared/protocol/watch.ts';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import { MAX_WAITING, TRACE_INTERVAL, Tracer } from '../../peer/tracer.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { defined, peerId, roomName, valueOf } from '../support.ts';

const STATE: RingState = {
  id: peerId(1),
  room: roomName('lobby'),
  role: 'joining',
  era: null,
  term: null,
  leader: null,
  isConfirmed: false,
  confirmedUntil: null,
  hopsFromLeader: null,
  size: null,
  successor: null,
  predecessor: null,
  successorLink: 'none',
  predecessorLink: 'none',
  server: 'connected',
  ring: null,
  hopDelay: 0,
};
const CANDIDATE: RingState = { ...STATE, role: 'candidate', term: 1 };

const claim = (origin: number): ElectionMessage => ({
  type: 'claim',
  term: 1,
  claim: { priority: 1, id: peerId(origin) },
  hops: 2,
});
const announcement = (lap: number): ElectionMessage => ({
  type: 'elected',
  term: 1,
  decision: { leader: { priority: 3, id: peerId(9) }, lap, size: 4, hops: 2 },
});
const sent = (message: ElectionMessage): RingEvent => ({ type: 'sent', message, to: peerId(2) });

class Stage {
  readonly clock = new SimulatedClock();
  readonly traces: Trace[] = [];
  /** Traces whose arrival the tracer waits for. */
  readonly pending: (() => void)[] = [];
  readonly tracer = new Tracer(STATE, {
    clock: this.clock,
    send: (trace, onDone) => {
      this.traces.push(valueOf(parseTrace(trace)));
      this.pending.push(onDone);
    },
  });

  pass(milliseconds = TRACE_INTERVAL): void {
    const until = this.clock.now() + milliseconds;
    while (this.clock.advance(until));
  }

  /** What is on its way arrives, and time passes, until everything is sent. */
  drain(): void {
    this.pass();
    for (let done = this.pending.shift(); done !== undefined; done = this.pending.shift()) {
      done();
      this.pass();
    }
  }

  get entries() {
    return this.traces.flatMap(({ entries }) => entries);
  }
}

describe('a tracer', () => {
  test('begins with what the peer is', () => {
    const stage = new Stage();
    stage.drain();
    expect(stage.traces).toEqual([
      {
        at: TRACE_INTERVAL,
        first: 0,
        entries: [{ type: 'state', at: 0, role: 'joining', term: 0, leader: null, link: 'none' }],
        lost: 0,
      },
    ]);
  });

  test('tells of messages with what became of them, and of changes of state once', () => {
    const stage = new Stage();
    stage.tracer.note({ type: 'started', term: 1, because: 'start' }, CANDIDATE);
    stage.pass(10);
    stage.tracer.note(sent(claim(1)), CANDIDATE);
    stage.pass(10);
    const judgement = { outcome: 'forwarded', reason: 'greater claim', compared: null } as const;
    stage.tracer.note(
      { type: 'received', message: claim(5), from: peerId(4), judgement },
      CANDIDATE,
    );
    stage.drain();
    const message = { type: 'claim', term: 1, priority: 1, hops: 2, lap: 0 };
    expect(stage.entries.slice(1)).toEqual([
      { type: 'state', at: 0, role: 'candidate', term: 1, leader: null, link: 'none' },
      { type: 'sent', at: 10, to: peerId(2), message: { ...message, origin: peerId(1) } },
      {
        ...{ type: 'received', at: 20, from: peerId(4) },
        message: { ...message, origin: peerId(5) },
        ...{ outcome: 'forwarded', reason: 'greater claim' },
      },
    ]);
  });

  test('tells the distance and the priority of an announcement', () => {
    const stage = new Stage();
    stage.tracer.note(sent(announcement(0)), STATE);
    stage.drain();
    expect(stage.entries.at(-1)).toMatchObject({
      message: { type: 'elected', origin: peerId(9), priority: 3, hops: 2, lap: 0 },
    });
  });

  test('tells what is held and for how long, and by what messages are passed on', () => {
    const stage = new Stage();
    stage.tracer.note({ type: 'holding', message: claim(1), milliseconds: 1_499.6 }, STATE);
    stage.tracer.note({ type: 'ring' }, { ...STATE, successorLink: 'relayed' });
    stage.drain();
    expect(stage.entries.slice(1)).toMatchObject([
      { type: 'holding', at: 0, message: { type: 'claim', hops: 2 }, milliseconds: 1_500 },
      { type: 'state', link: 'relayed' },
    ]);
  });

  test('of laps tells few, the same as all others', () => {
    const stage = new Stage();
    for (let lap = 1; lap <= 24; lap += 1) {
      stage.tracer.note(sent(announcement(lap)), STATE);
      stage.drain();
    }
    const laps = stage.entries.flatMap((entry) =>
      entry.type === 'sent' ? [entry.message.lap] : [],
    );
    expect(laps).toEqual([8, 16, 24]);
    expect(stage.traces.every(({ lost }) => lost === 0)).toBe(true);
  });

  test('sends one trace at a time, and nothing while there is nothing', () => {
    const stage = new Stage();
    stage.pass(10_000);
    expect(stage.traces).toHaveLength(1);
    for (let number = 0; number < 3; number += 1) {
      stage.tracer.note(sent(claim(number)), STATE);
      stage.pass(1_000);
    }
    expect(stage.traces).toHaveLength(1);
    stage.drain();
    expect(stage.traces).toHaveLength(2);
    expect(stage.traces[1]).toMatchObject({ first: 1, lost: 0 });
    expect(stage.traces[1]?.entries).toHaveLength(3);
    stage.pass(10_000);
    expect(stage.traces).toHaveLength(2);
  });

  test('sends no more in a trace than the server takes', () => {
    const stage = new Stage();
    for (let number = 1; number <= 100; number += 1) stage.tracer.note(sent(claim(number)), STATE);
    stage.drain();
    expect(stage.traces.map(({ first, entries }) => [first, entries.length])).toEqual([
      [0, MAX_ENTRIES],
      [MAX_ENTRIES, 101 - MAX_ENTRIES],
    ]);
  });

  test('in a storm leaves out laps first, then counts what it leaves out', () => {
    const stage = new Stage();
    for (let number = 1; number <= 100; number += 1) stage.tracer.note(sent(claim(number)), STATE);
    stage.tracer.note(sent(announcement(8)), STATE);
    for (let number = 101; number <= MAX_WAITING + 40; number += 1)
      stage.tracer.note(sent(claim(number)), STATE);
    stage.drain();
    expect(stage.entries).toHaveLength(MAX_WAITING);
    expect(stage.entries.some((entry) => entry.type === 'sent' && entry.message.lap > 0)).toBe(
      false,
    );
    expect(stage.traces.reduce((sum, { lost }) => sum + lost, 0)).toBe(41);
  });

  test('tells of a state that was left out with the next event', () => {
    const stage = new Stage();
    for (let number = 1; number <= MAX_WAITING; number += 1)
      stage.tracer.note(sent(claim(number)), STATE);
    stage.tracer.note({ type: 'ring' }, CANDIDATE);
    stage.drain();
    expect(stage.entries.at(-1)?.type).toBe('sent');
    stage.tracer.note({ type: 'ring' }, CANDIDATE);
    stage.drain();
    expect(stage.entries.at(-1)).toMatchObject({ type: 'state', role: 'candidate' });
  });

  test('says again what the peer is when somebody else comes', () => {
    const stage = new Stage();
    stage.drain();
    stage.tracer.restate();
    stage.drain();
    expect(defined(stage.traces.at(-1))).toMatchObject({ first: 1, entries: [{ type: 'state' }] });
  });

  test('that has been stopped sends nothing', () => {
    const stage = new Stage();
    stage.tracer.stop();
    stage.tracer.note(sent(claim(1)), CANDIDATE);
    stage.pass(10_000);
    expect(stage.traces).toEqual([]);
  });
});
