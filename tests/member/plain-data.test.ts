/** A member's state is plain data, and its inputs are all that changes it. */
import { isDeepStrictEqual } from 'node:util';
import { expect, test } from 'vitest';
import { countedRandom } from '../../shared/driver/random.ts';
import { RingPeer } from '../../shared/driver/ring-peer.ts';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import { initialMember } from '../../shared/member/initial.ts';
import { handle } from '../../shared/member/member.ts';
import type { Identity } from '../../shared/member/state.ts';
import type { Input } from '../../shared/member/turn.ts';
import type { Moment } from '../../shared/machine/moment.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { Device } from '../../shared/simulation/device.ts';
import { SimulatedNetwork } from '../../shared/simulation/network.ts';
import { seededRandom } from '../../shared/simulation/random.ts';
import { SimulatedServer, type Route } from '../../shared/simulation/server.ts';
import { defined, peerId, roomName } from '../support.ts';

const ROOM = roomName('lobby');
const CONFIG = { room: ROOM, policy: 'highest', priority: 1, key: null, connections: 450 } as const;

interface Recording {
  readonly identity: Identity;
  readonly random: (n: number) => number;
  readonly joinedAt: number;
  readonly inputs: { readonly input: Input; readonly moment: Moment }[];
  readonly told: { readonly event: RingEvent; readonly state: RingState }[];
}

/** A ring of four members that are recorded. */
function recordedRing() {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork(clock, seededRandom(1), { least: 1, most: 21 });
  const server = new SimulatedServer(network);
  const join = (number: number) => {
    const device = new Device(clock, number);
    const recording: Recording = {
      identity: { id: peerId(number), secret: 'a secret of some length' },
      random: countedRandom(number),
      joinedAt: clock.now(),
      inputs: [],
      told: [],
    };
    let identities = 0;
    const peer = new RingPeer(ROOM, {
      clock: device,
      date: () => 1e12 + clock.now(),
      random: recording.random,
      openLink: network.port(device),
      newSignaling: () => {
        const route: Route = { device, isLeft: false, connection: null, holder: null };
        return server.port(route);
      },
      // One that has lost its place comes back under another.
      newId: () => {
        identities += 1;
        return identities === 1 ? recording.identity.id : peerId(10 * identities + number);
      },
      newSecret: () => recording.identity.secret,
      onEvent: (event, state) => recording.told.push(structuredClone({ event, state })),
      handle: (member, input, moment, random) => {
        recording.inputs.push(structuredClone({ input, moment }));
        return handle(member, input, moment, random);
      },
    });
    peer.join();
    return { peer, recording };
  };
  const run = (milliseconds: number) => {
    const limit = clock.now() + milliseconds;
    while (clock.advance(limit));
  };
  return { members: [1, 2, 3, 4].map(join), network, server, run };
}

/** The same after an election in slow motion, a departure, a break of links and a server without memory. */
function eventfulRing() {
  const ring = recordedRing();
  const [first, second, third, fourth] = ring.members;
  ring.run(5_000);
  defined(first).peer.setHopDelay(100);
  defined(second).peer.campaign();
  ring.run(250);
  defined(third).peer.leave();
  ring.run(3_000);
  ring.server.crash(1_000, false);
  ring.run(12_000);
  expect(defined(fourth).peer.state).toMatchObject({ role: 'leader', size: 3 });
  return ring;
}

/** Where a value is not plain, by the way to it; bytes count as plain. */
function notPlain(value: unknown, way = 'state'): string[] {
  if (typeof value !== 'object' || value === null)
    return ['function', 'symbol'].includes(typeof value) ? [way] : [];
  if (value instanceof Uint8Array) return [];
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== Array.prototype) return [way];
  return Object.entries(value).flatMap(([key, each]) => notPlain(each, `${way}.${key}`));
}

test('recorded inputs lead a member to the same events and states again', () => {
  for (const { recording } of eventfulRing().members) {
    const { identity, inputs, joinedAt, random } = recording;
    const member = initialMember(CONFIG, identity, joinedAt);
    const told = inputs.flatMap(({ input, moment }) =>
      handle(member, input, moment, random).flatMap((output) =>
        output.do === 'tell' ? [{ event: output.event, state: output.state }] : [],
      ),
    );
    expect(told.length).toBeGreaterThan(20);
    expect(told).toEqual(recording.told);
  }
});

test('a copy of a member handles each input like the member, and no input is changed', () => {
  const { identity, inputs, joinedAt, random } = defined(eventfulRing().members[3]).recording;
  const member = initialMember(CONFIG, identity, joinedAt);
  const given = structuredClone(inputs);
  for (const { input, moment } of given) {
    const copy = structuredClone(member);
    expect(isDeepStrictEqual(copy, member)).toBe(true);
    const ofCopy = handle(copy, structuredClone(input), moment, random);
    const outputs = handle(member, input, moment, random);
    expect(isDeepStrictEqual(ofCopy, outputs)).toBe(true);
    expect(isDeepStrictEqual(copy, member)).toBe(true);
  }
  expect(isDeepStrictEqual(given, inputs)).toBe(true);
});

test('the state of a member is plain data after each input', () => {
  for (const { recording } of eventfulRing().members) {
    const { identity, inputs, joinedAt, random } = recording;
    const member = initialMember(CONFIG, identity, joinedAt);
    expect(notPlain(member)).toEqual([]);
    for (const { input, moment } of inputs) {
      handle(member, input, moment, random);
      expect(notPlain(member)).toEqual([]);
    }
  }
});
