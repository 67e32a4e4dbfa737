/** The broker as a machine: plain data, the same inputs give the same, and what a session may do. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { firstTime } from '../../shared/machine/due-times.ts';
import { handle, orderOf, placeOf, sizeOf } from '../../shared/broker/broker.ts';
import { PROBE_PATIENCE } from '../../shared/broker/complaints.ts';
import type { Moment } from '../../shared/machine/moment.ts';
import { mayLeave } from '../../shared/broker/sessions.ts';
import {
  newBroker,
  type Broker,
  type Delivery,
  type Input,
  type SessionId,
} from '../../shared/broker/state.ts';
import type { Request } from '../../shared/protocol/signaling.ts';
import { PLAIN_TICKETS } from '../../shared/simulation/plain-tickets.ts';
import { defined, linkId, peerId, roomName } from '../support.ts';
import { answerTo, LOBBY, requestOf, resumeOf, WINDOW } from './test-broker.ts';

const LIMITS = {
  peersPerRoom: 6,
  rooms: 3,
  burstWindow: WINDOW,
  relays: true,
  relayedBytes: 1_000_000,
};
const PORTS = { tickets: PLAIN_TICKETS, random: () => 0.5 };

/** Names that every object knows, and another one. */
const ROOMS = ['__proto__', 'constructor', 'lobby'].map((name) => roomName(name));

/** A broker, its time, and everything that it was given. */
class Machine {
  readonly broker: Broker;
  now = 0;
  readonly given: { readonly input: Input; readonly moment: Moment }[] = [];
  requests = 0;

  constructor(broker = newBroker('monday', LIMITS, 0)) {
    this.broker = broker;
  }

  /** Another one in the same state, at the same time. */
  copy(): Machine {
    const copy = new Machine(structuredClone(this.broker));
    copy.now = this.now;
    copy.requests = this.requests;
    return copy;
  }

  give(input: Input): readonly Delivery[] {
    const moment = { now: this.now, date: 1e12 + this.now };
    this.given.push({ input, moment });
    return handle(this.broker, input, moment, PORTS);
  }

  open(...sessions: readonly SessionId[]): void {
    for (const session of sessions)
      this.give({ type: 'opened', session, address: `of ${session}` });
  }

  /** A member answers the probe, if it is probed. */
  answer(session: SessionId): readonly Delivery[] {
    const place = this.broker.sessions.get(session)?.place;
    if (place === undefined || place === null) return [];
    const probe = this.broker.rooms.get(place.room)?.seats.get(place.id)?.probe;
    if (probe === undefined || probe === null) return [];
    const offered = { ...probe, edge: 'predecessor' as const, signals: [] };
    return this.ask(session, { type: 'signal', body: answerTo(offered, place.id) });
  }

  ask(session: SessionId, request: Request): readonly Delivery[] {
    this.requests += 1;
    return this.give({ type: 'request', session, number: this.requests, request });
  }

  /** A newcomer with the number of its session, in a room where nobody has just come. */
  seat(...sessions: readonly SessionId[]): void {
    for (const session of sessions) {
      this.open(session);
      this.ask(session, { type: 'join', body: requestOf(session) });
      this.pass(WINDOW);
    }
  }

  /** Lets time pass, one due time after another. */
  pass(milliseconds: number): readonly Delivery[] {
    const limit = this.now + milliseconds;
    const deliveries: Delivery[] = [];
    for (
      let due = firstTime(this.broker);
      due !== null && due <= limit;
      due = firstTime(this.broker)
    ) {
      this.now = Math.max(this.now, due);
      deliveries.push(...this.give({ type: 'time' }));
    }
    this.now = limit;
    return deliveries;
  }
}

/** What each delivery is, and for which session. */
function kinds(deliveries: readonly Delivery[]): string[] {
  return deliveries.map((each) => {
    if (each.type === 'note') return each.note.type;
    if (each.type === 'push') return `${each.told.type} to ${each.session}`;
    if (each.type === 'end') return `${each.why} ${each.session}`;
    return `${each.type} to ${each.session}`;
  });
}

function codesOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map((each) =>
    each.type === 'reply' ? (each.reply.ok ? 'ok' : each.reply.code) : each.type,
  );
}

const peer = fc.integer({ min: 1, max: 7 });
const room = fc.constantFrom(...ROOMS);
const session = fc.integer({ min: 1, max: 9 });

const asked: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    type: fc.constant('join' as const),
    body: fc
      .tuple(peer, room)
      .map(([number, name]) => requestOf(number, { room: name, policy: 'incumbent' })),
  }),
  fc.record({
    type: fc.constant('resume' as const),
    body: fc
      .tuple(
        peer,
        room,
        peer,
        peer,
        fc.constantFrom('sunday.1', 'monday.1', 'monday.2'),
        fc.array(peer),
      )
      .map(([number, name, successor, predecessor, incarnation, removed]) =>
        resumeOf(number, {
          room: name,
          place: {
            incarnation,
            era: 1e12,
            version: 3,
            successor: peerId(successor),
            predecessor: peerId(predecessor),
          },
          removed: removed.map((each) => peerId(each)),
        }),
      ),
  }),
  fc.record({
    type: fc.constant('signal' as const),
    body: fc.record({
      to: peer.map((number) => peerId(number)),
      edge: fc.constantFrom('successor' as const, 'predecessor' as const),
      link: fc.constant(linkId(7)),
      signals: fc.constant('v=0').map((sdp) => [{ type: 'answer' as const, sdp }]),
    }),
  }),
  fc.record({
    type: fc.constant('complain' as const),
    body: fc.record({
      about: peer.map((number) => peerId(number)),
      fault: fc.constantFrom('silent' as const, 'unlinked' as const, 'misbehaves' as const),
    }),
  }),
  fc.record({
    type: fc.constant('lookup' as const),
    body: peer.map((number) => peerId(number)),
  }),
  fc.record({
    type: fc.constantFrom('settle' as const, 'leave' as const),
    body: fc.constant(null),
  }),
);

type Step = (machine: Machine) => readonly Delivery[];

/** Anything that may come from the network, in any order, and time between. */
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: session.map(
      (each) => (to: Machine) =>
        !to.broker.sessions.has(each)
          ? to.give({ type: 'opened', session: each, address: `of ${each % 3}` })
          : [],
    ),
  },
  {
    weight: 12,
    arbitrary: fc.tuple(session, asked).map(
      ([each, request]) =>
        (to: Machine) =>
          to.ask(each, request),
    ),
  },
  {
    weight: 2,
    arbitrary: session.map((each) => (to: Machine) => to.give({ type: 'closed', session: each })),
  },
  {
    weight: 1,
    arbitrary: session.map((each) => (to: Machine) => to.answer(each)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(peer, room).map(([number, name]) => (to: Machine) => {
      const { id, secret } = requestOf(number);
      return to.give({ type: 'goodbye', request: { room: name, id, secret } });
    }),
  },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom(0, 1, WINDOW, 300, 4_000, 31_000)
      .map((milliseconds) => (to: Machine) => to.pass(milliseconds)),
  },
);

const play = fc.array(step, { minLength: 20, maxLength: 120 });

/** Whose places are whose: sessions and seats name each other, and seats are members or newcomers. */
function expectOrder({ sessions, rooms, dues }: Broker): void {
  for (const { name, seats, ring, pending } of rooms.values()) {
    const holders = [...ring.map(({ id }) => id), ...pending.map(({ request }) => request.id)];
    expect(new Set(holders).size).toBe(holders.length);
    expect(seats.size).toBe(holders.length);
    for (const id of holders) {
      const { session: holder } = defined(seats.get(id));
      if (holder !== null) expect(sessions.get(holder)?.place).toEqual({ room: name, id });
    }
    for (const { id, lost } of ring)
      expect(defined(seats.get(id)).session === null).toBe(lost !== null);
  }
  const placed = [...sessions.values()].filter(({ place }) => place !== null);
  const seated = [...rooms.values()].flatMap(({ seats }) =>
    [...seats.values()].filter((each) => each.session !== null),
  );
  expect(placed).toHaveLength(seated.length);
  const tasks = [...rooms.values()].flatMap((open) =>
    [...open.tasks].map((name) => `${name} ${open.name}`),
  );
  expect(dues.map((due) => `${due.name} ${due.room}`).toSorted()).toEqual(tasks.toSorted());
  const times = dues.map(({ at }) => at);
  expect(times).toEqual(times.toSorted((a, b) => a - b));
}

describe('whatever comes', () => {
  test('the state is plain data, and a copy of it goes on as the broker itself', () => {
    fc.assert(
      fc.property(play, fc.nat(100), (steps, copied) => {
        const machine = new Machine();
        const at = copied % steps.length;
        for (const each of steps.slice(0, at)) each(machine);
        expect(structuredClone(machine.broker)).toStrictEqual(machine.broker);
        const copy = machine.copy();
        for (const each of steps.slice(at)) expect(each(copy)).toEqual(each(machine));
        expect(copy.broker).toEqual(machine.broker);
      }),
      { numRuns: 300 },
    );
  });

  test('what was given once makes the same broker again', () => {
    fc.assert(
      fc.property(play, (steps) => {
        const machine = new Machine();
        const delivered = steps.flatMap((each) => each(machine));
        const again = newBroker('monday', LIMITS, 0);
        const replayed = machine.given.flatMap(({ input, moment }) =>
          handle(again, input, moment, PORTS),
        );
        expect(replayed).toEqual(delivered);
        expect(again).toEqual(machine.broker);
      }),
      { numRuns: 300 },
    );
  });

  test('sessions and seats name each other, and no request has two replies', () => {
    fc.assert(
      fc.property(play, (steps) => {
        const machine = new Machine();
        const replied = new Set<number>();
        for (const each of steps) {
          for (const delivery of each(machine)) {
            if (delivery.type !== 'reply' || delivery.number === 0) continue;
            expect(replied).not.toContain(delivery.number);
            replied.add(delivery.number);
          }
          expectOrder(machine.broker);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('nothing is left when all have gone and time has passed', () => {
    fc.assert(
      fc.property(play, (steps) => {
        const machine = new Machine();
        for (const each of steps) each(machine);
        for (let each = 1; each <= 9; each += 1) machine.give({ type: 'closed', session: each });
        machine.pass(120_000);
        const { sessions, rooms, dues } = machine.broker;
        expect([sessions.size, rooms.size]).toEqual([0, 0]);
        expect(dues).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

test.each(ROOMS)('a room may be called %s', (name) => {
  const machine = new Machine();
  machine.open(1, 2);
  expect(sizeOf(machine.broker).rooms).toBe(0);
  expect(orderOf(machine.broker, name).peers).toEqual([]);
  const joined = machine.ask(1, { type: 'join', body: requestOf(1, { room: name }) });
  expect(codesOf(joined)).toEqual(['ok']);
  const copy = structuredClone(machine.broker);
  expect(orderOf(copy, name).peers).toEqual([peerId(1)]);
  machine.give({ type: 'goodbye', request: requestOf(1, { room: name }) });
  expect(sizeOf(machine.broker)).toEqual({ rooms: 0, peers: 0 });
});

describe('a session', () => {
  const settle: Request = { type: 'settle', body: null };

  test('that has joined no room may only join or resume', () => {
    const machine = new Machine();
    machine.open(1);
    const signals = [{ type: 'answer' as const, sdp: 'v=0' }];
    const to = peerId(2);
    const refused: readonly Request[] = [
      settle,
      { type: 'lookup', body: to },
      { type: 'complain', body: { about: to, fault: 'silent' } },
      { type: 'signal', body: { to, edge: 'successor', link: linkId(1), signals } },
    ];
    for (const request of refused) expect(codesOf(machine.ask(1, request))).toEqual(['not-joined']);
    expect(codesOf(machine.ask(1, { type: 'leave', body: null }))).toEqual(['ok']);
    expect(codesOf(machine.ask(1, { type: 'join', body: requestOf(1) }))).toEqual(['ok']);
  });

  test('has one place, also while it waits for it', () => {
    const machine = new Machine();
    machine.seat(1);
    machine.open(2, 3);
    machine.ask(2, { type: 'join', body: requestOf(2) });
    machine.ask(3, { type: 'join', body: requestOf(3) });
    for (const each of [1, 2, 3]) {
      expect(codesOf(machine.ask(each, { type: 'join', body: requestOf(9) }))).toEqual([
        'already-joined',
      ]);
      expect(codesOf(machine.ask(each, { type: 'resume', body: resumeOf(9) }))).toEqual([
        'already-joined',
      ]);
    }
    machine.ask(1, { type: 'leave', body: null });
    expect(placeOf(machine.broker, 1)).toBeNull();
  });

  test('that is not open is not heard', () => {
    const machine = new Machine();
    expect(machine.ask(1, settle)).toEqual([]);
    machine.seat(1);
    machine.give({ type: 'closed', session: 1 });
    expect(machine.ask(1, { type: 'leave', body: null })).toEqual([]);
    expect(orderOf(machine.broker, LOBBY).peers).toEqual([peerId(1)]);
  });

  test('ends as another one resumes its place, and its own end costs nobody the place', () => {
    const machine = new Machine();
    machine.seat(1, 2);
    machine.open(3);
    const place = { incarnation: 'monday.1', era: 1, version: 1 };
    const own = { ...place, successor: peerId(1), predecessor: peerId(1) };
    const resumed = machine.ask(3, { type: 'resume', body: resumeOf(2, { place: own }) });
    expect(kinds(resumed)).toEqual(['replaced 2', 'reply to 3']);
    expect(machine.give({ type: 'closed', session: 2 })).toEqual([]);
    expect(machine.pass(10_000)).toEqual([]);
    expect(placeOf(machine.broker, 3)).toEqual({ room: LOBBY, id: peerId(2) });
  });

  test('that closes while it waits for a place is never answered, and its id is free', () => {
    const machine = new Machine();
    machine.seat(1);
    machine.open(2, 3, 4);
    machine.ask(2, { type: 'join', body: requestOf(2) });
    machine.ask(3, { type: 'join', body: requestOf(3) });
    machine.give({ type: 'closed', session: 3 });
    machine.ask(4, { type: 'join', body: requestOf(3) });
    const placed = machine.pass(WINDOW);
    expect(placed.flatMap((each) => (each.type === 'reply' ? [each.session] : []))).toEqual([4]);
  });

  test('may join again after a goodbye over HTTP, and a wrong secret says none', () => {
    const machine = new Machine();
    machine.seat(1, 2);
    const guess = { ...requestOf(2), secret: 'a guess of sixteen' };
    expect(mayLeave(machine.broker, guess)).toBe(false);
    expect(machine.give({ type: 'goodbye', request: guess })).toEqual([]);
    expect(kinds(machine.give({ type: 'goodbye', request: requestOf(2) }))).toEqual(['view to 1']);
    expect(mayLeave(machine.broker, guess)).toBe(true);
    expect(machine.give({ type: 'goodbye', request: requestOf(2) })).toEqual([]);
    expect(codesOf(machine.ask(2, { type: 'join', body: requestOf(3) }))).toContain('ok');
  });
});

describe('in the order of what is delivered', () => {
  test('the reply to the last who comes back is before what the end of the recovery brings', () => {
    const machine = new Machine();
    machine.open(1, 2, 9);
    const place = { incarnation: 'sunday.1', era: 1, version: 7 };
    const one = { ...place, successor: peerId(2), predecessor: peerId(2) };
    const other = { ...place, successor: peerId(1), predecessor: peerId(1) };
    machine.ask(1, { type: 'resume', body: resumeOf(1, { place: one }) });
    expect(machine.ask(9, { type: 'join', body: requestOf(9) })).toEqual([]);
    const ended = kinds(machine.ask(2, { type: 'resume', body: resumeOf(2, { place: other }) }));
    expect(ended[0]).toBe('reply to 2');
    expect(ended).toContain('reply to 9');
    expect(ended.slice(1)).toContain('view to 2');
  });

  test('a complaint is answered before its subject is ended', () => {
    const machine = new Machine();
    machine.seat(1, 2, 3);
    for (const each of [1, 2, 3]) machine.ask(each, { type: 'settle', body: null });
    machine.pass(10_000);
    const complaint = { about: peerId(2), fault: 'silent' as const };
    expect(kinds(machine.ask(1, { type: 'complain', body: complaint }))).toEqual(['signal to 2']);
    expect(kinds(machine.pass(PROBE_PATIENCE))).toEqual([
      'reply to 1',
      'evicted',
      'view to 1',
      'view to 3',
      'evicted 2',
    ]);
  });
});

describe('time', () => {
  test('does one thing at a time, the earliest first, and nothing before it is due', () => {
    const machine = new Machine();
    machine.seat(1, 2, 3, 4);
    for (const about of [2, 4]) {
      machine.ask(1, { type: 'complain', body: { about: peerId(about), fault: 'silent' } });
      machine.ask(3, { type: 'complain', body: { about: peerId(about), fault: 'silent' } });
    }
    const due = defined(firstTime(machine.broker));
    const count = machine.broker.dues.length;
    expect(machine.give({ type: 'time' })).toEqual([]);
    expect(machine.broker.dues).toHaveLength(count);
    machine.now = due + 10_000;
    const first = defined(machine.broker.dues[0]);
    expect(machine.give({ type: 'time' })).not.toEqual([]);
    expect(machine.broker.dues).toHaveLength(count - 1);
    expect(machine.broker.dues).not.toContainEqual(first);
  });
});
