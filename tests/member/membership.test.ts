import { expect, test } from 'vitest';
import type {
  JoinReply,
  JoinRequest,
  ResumeRequest,
  View,
} from '../../shared/protocol/signaling.ts';
import type { RingEvent } from '../../shared/member/events.ts';
import type { OpenLink } from '../../shared/driver/ports.ts';
import type { ServerNews } from '../../shared/member/turn.ts';
import { countedRandom } from '../../shared/driver/random.ts';
import { RingPeer } from '../../shared/driver/ring-peer.ts';
import { SimulatedClock } from '../../shared/simulation/clock.ts';
import { Ring, SELF, STAYS } from './played-ring.ts';
import { defined, peerId, roomName } from '../support.ts';

const ITSELF = { id: peerId(1), link: null };
const ALONE: View = {
  incarnation: 'e',
  era: 1,
  version: 1,
  size: 3,
  successor: ITSELF,
  predecessor: ITSELF,
  removed: [],
  ticket: '',
};

const ALONE_AT_SELF: View = {
  ...ALONE,
  version: 9,
  successor: { id: SELF, link: null },
  predecessor: { id: SELF, link: null },
};

/** A ring member whose server is played by the test. */
function memberOf(openLink: OpenLink) {
  const clock = new SimulatedClock();
  const joins: { request: JoinRequest; reply: (reply: unknown) => void }[] = [];
  const resumes: { request: ResumeRequest; reply: (reply: JoinReply) => void }[] = [];
  const events: RingEvent[] = [];
  let server: ((news: ServerNews) => void) | null = null;
  const node: RingPeer = new RingPeer(roomName('lobby'), {
    clock,
    date: () => clock.now(),
    random: countedRandom(1),
    newId: () => peerId(1),
    newSecret: () => 'a secret of some length',
    openLink,
    newSignaling: () => ({
      connect: (onNews) => {
        server = onNews;
      },
      ask: ({ type, body }, reply) => {
        if (type === 'join') joins.push({ request: body, reply });
        if (type === 'resume') resumes.push({ request: body, reply });
      },
      leave: () => undefined,
      drop: () => undefined,
    }),
    onEvent: (event) => {
      events.push(event);
      // It would come back as a new peer.
      if (event.type === 'refused' && !STAYS.has(event.code)) node.leave();
    },
  });
  node.join();
  return {
    node,
    clock,
    joins,
    resumes,
    events,
    server: (news: ServerNews) => defined(server)(news),
  };
}

/** Links that make an offer at once and never open. Counts those made and not closed. */
function countedLinks() {
  const counts = { made: 0, open: 0 };
  const openLink: OpenLink = (initiator, handlers) => {
    counts.made += 1;
    counts.open += 1;
    let isClosed = false;
    if (initiator) handlers.onSignal({ type: 'offer', sdp: `offer ${counts.made}` });
    return {
      signal: () => undefined,
      settle: () => undefined,
      send: () => undefined,
      close: () => {
        if (!isClosed) counts.open -= 1;
        isClosed = true;
      },
    };
  };
  return { counts, openLink };
}

test('a join that is lost with its connection ends this id: others may presume it departed (L9e)', () => {
  const { counts, openLink } = countedLinks();
  const { joins, server, node, events } = memberOf(openLink);
  server({ type: 'connected' });
  server({ type: 'disconnected', reason: 'lost' });
  expect(joins).toHaveLength(1);
  expect(counts.open).toBe(0);
  expect(node.state.role).toBe('offline');
  expect(events.at(-1)).toMatchObject({ type: 'refused', code: 'place-lost' });
});

test('a server that stays away for long costs no more than the first two offers', () => {
  const { counts, openLink } = countedLinks();
  const { joins, server } = memberOf(openLink);
  for (let attempt = 0; attempt < 100; attempt += 1)
    server({ type: 'disconnected', reason: 'refused' });
  server({ type: 'connected' });
  expect(counts.made).toBe(2);
  expect(joins).toHaveLength(1);
});

test('L2d: a newcomer brings an offer for each of its two links', () => {
  const { openLink } = countedLinks();
  const { joins, server } = memberOf(openLink);
  server({ type: 'connected' });
  const offer = (number: number) => ({
    link: expect.any(Number) as number,
    signals: [{ type: 'offer', sdp: `offer ${number}` }],
  });
  expect(joins[0]?.request.offers).toEqual({ successor: offer(1), predecessor: offer(2) });
});

test('L2: a newcomer keeps the offer that the view names, and lets go of the other (L2e)', () => {
  const { counts, openLink } = countedLinks();
  const { joins, server, node } = memberOf(openLink);
  server({ type: 'connected' });
  const { request, reply } = defined(joins[0]);
  const view: View = {
    ...ALONE,
    successor: { id: peerId(2), link: request.offers.successor.link },
    predecessor: { id: peerId(3), link: null },
  };
  reply({ ok: true, view, policy: 'highest' });
  expect(node.links).toMatchObject([{ edge: 'successor', peer: peerId(2) }]);
  expect(counts).toEqual({ made: 2, open: 1 });
});

test('a peer alone leads and has let go of its offers (L2f, L5c)', () => {
  const { counts, openLink } = countedLinks();
  const { joins, server, node } = memberOf(openLink);
  server({ type: 'connected' });
  joins[0]?.reply({ ok: true, view: ALONE, policy: 'highest' });
  expect(node.state).toMatchObject({ role: 'leader', size: 1, successorLink: 'none' });
  expect(counts.open).toBe(0);
});

test('a reply that makes no sense is told as an error, and changes nothing', () => {
  const { openLink } = countedLinks();
  const { joins, events, server, node } = memberOf(openLink);
  server({ type: 'connected' });
  const { reply } = defined(joins[0]);
  reply({ ok: true, view: ALONE, policy: 'the loudest' });
  const message = expect.stringMatching(/^the server sent an invalid message: policy: /) as string;
  expect(events.at(-1)).toEqual({ type: 'error', message });
  expect(node.state.role).toBe('joining');
  reply({ ok: true, view: ALONE, policy: 'highest' });
  expect(node.state.role).toBe('leader');
});

test('a member that was cut off resumes its place and makes no new offers', () => {
  const { counts, openLink } = countedLinks();
  const { joins, resumes, server, node } = memberOf(openLink);
  server({ type: 'connected' });
  joins[0]?.reply({ ok: true, view: ALONE, policy: 'highest' });
  server({ type: 'disconnected', reason: 'lost' });
  expect(node.state).toMatchObject({ role: 'leader', server: 'reconnecting' });
  server({ type: 'connected' });
  expect(joins).toHaveLength(1);
  resumes[0]?.reply({ ok: true, view: ALONE, policy: 'highest' });
  expect(node.state).toMatchObject({ role: 'leader', term: 1, server: 'connected' });
  expect(counts.made).toBe(2);
});

test('a member whose place is lost is gone, and shows nothing of the ring any more (L9d)', () => {
  const { openLink } = countedLinks();
  const { joins, resumes, server, node } = memberOf(openLink);
  server({ type: 'connected' });
  joins[0]?.reply({ ok: true, view: ALONE, policy: 'highest' });
  server({ type: 'disconnected', reason: 'lost' });
  server({ type: 'connected' });
  resumes[0]?.reply({ ok: false, code: 'place-lost', message: 'lost' });
  expect(node.state).toMatchObject({
    role: 'offline',
    era: null,
    term: null,
    leader: null,
    size: null,
    successor: null,
    predecessor: null,
  });
});

test('a platform without links ends the membership and says so', () => {
  const { node, events } = memberOf(() => {
    throw new Error('No WebRTC support');
  });
  expect(node.state.role).toBe('offline');
  expect(events.at(-1)).toEqual({
    type: 'error',
    message: 'no connection can be made: No WebRTC support',
  });
});

test('a refusal ends the membership and names its reason', () => {
  const { openLink, counts } = countedLinks();
  const { joins, server, node, events } = memberOf(openLink);
  server({ type: 'connected' });
  joins[0]?.reply({ ok: false, code: 'room-full', message: 'room lobby is full' });
  expect(node.state).toMatchObject({ role: 'offline', server: 'offline' });
  expect(events.at(-1)).toEqual({
    type: 'refused',
    code: 'room-full',
    message: 'room lobby is full',
  });
  expect(counts.open).toBe(0);
});

test.each(['token', 'room-secret', 'locked', 'turned-out'] as const)(
  'a refusal as %s ends the membership for good (L19g)',
  (code) => {
    const ring = new Ring(null);
    ring.disconnect();
    ring.connect();
    defined(ring.resumes[0]).reply({ ok: false, code, message: 'refused for a test' });
    expect(ring.told('refused')).toMatchObject([{ code }]);
    ring.pass(60_000);
    expect(ring.node.state.role).toBe('offline');
    // It does not even ask for a connection.
    expect(ring.hasLeft).toBe(true);
    expect(ring.ways).toBe(1);
  },
);

test('a member that the server refuses for its version keeps its ring, and asks nothing more (L9f)', () => {
  const leader = { leader: { priority: 1, id: peerId(9) }, size: 4, lap: 0, hops: 1 } as const;
  const ring = new Ring(leader);
  ring.disconnect();
  ring.connect();
  defined(ring.resumes[0]).reply({ ok: false, code: 'version', message: 'another version' });
  expect(ring.told('refused')).toMatchObject([{ code: 'version' }]);
  expect(ring.hasDropped).toBe(true);
  expect(ring.hasLeft).toBe(false);
  const links = { successorLink: 'direct', predecessorLink: 'direct' } as const;
  expect(ring.node.state).toMatchObject({ role: 'follower', server: 'offline', ...links });
  // Its election goes on: it starts one, and adopts another's announcement.
  ring.sent();
  ring.node.campaign();
  const [claim] = ring.sent();
  expect(claim?.message).toMatchObject({ type: 'claim', term: 5, claim: { id: SELF } });
  const decision = { ...leader, hops: 2 };
  ring.predecessor.give({ type: 'elected', term: 5, decision });
  expect(ring.node.state).toMatchObject({ role: 'follower', term: 5, leader: peerId(9) });
  // It complains about no broken neighbour, and offers no link through the server.
  ring.successor.handlers.onClose('broke');
  ring.pass(60_000);
  expect([ring.complaints, ring.lookups, ring.signals]).toEqual([[], [], []]);
  expect(ring.resumes).toHaveLength(1);
  ring.node.leave();
  expect(ring.node.state.role).toBe('offline');
});

const NOT_NOW = { ok: false, code: 'try-again', message: 'too many at once' } as const;

function pass(clock: SimulatedClock, milliseconds: number): void {
  const limit = clock.now() + milliseconds;
  while (clock.advance(limit));
}

test('a newcomer that is put off asks again with the same id and offers, later each time (L9g)', () => {
  const { counts, openLink } = countedLinks();
  const { joins, server, node, events, clock } = memberOf(openLink);
  server({ type: 'connected' });
  const pauses: number[] = [];
  for (let asked = 1; asked <= 8; asked += 1) {
    const at = clock.now();
    defined(joins.at(-1)).reply(NOT_NOW);
    expect(node.state).toMatchObject({ role: 'joining', server: 'reconnecting' });
    while (joins.length === asked) pass(clock, 10);
    pauses.push(clock.now() - at);
  }
  expect(defined(pauses[0])).toBeGreaterThanOrEqual(250);
  expect(defined(pauses[0])).toBeLessThanOrEqual(760);
  for (const pause of pauses.slice(-2)) {
    expect(pause).toBeGreaterThanOrEqual(4_000);
    expect(pause).toBeLessThanOrEqual(12_010);
  }
  expect(new Set(joins.map(({ request }) => JSON.stringify(request))).size).toBe(1);
  expect(counts.made).toBe(2);
  const { request, reply } = defined(joins.at(-1));
  const successor = { id: peerId(2), link: request.offers.successor.link };
  reply({ ok: true, view: { ...ALONE, successor }, policy: 'highest' });
  expect(node.state).toMatchObject({ server: 'connected', successor: peerId(2) });
  expect(events.filter(({ type }) => type === 'refused')).toHaveLength(8);
  expect(events.filter((event) => event.type === 'server').map(({ state }) => state)).toEqual([
    'connected',
    ...Array.from({ length: 8 }, () => 'reconnecting'),
    'connected',
  ]);
});

test('a newcomer that is put off and loses its connection asks on the next, once (L9g)', () => {
  const { openLink } = countedLinks();
  const { joins, server, node, clock } = memberOf(openLink);
  server({ type: 'connected' });
  joins[0]?.reply(NOT_NOW);
  server({ type: 'disconnected', reason: 'lost' });
  pass(clock, 60_000);
  expect(joins).toHaveLength(1);
  server({ type: 'connected' });
  pass(clock, 60_000);
  expect(joins).toHaveLength(2);
  expect(node.state).toMatchObject({ role: 'joining', id: peerId(1) });
});

test('a member that is put off keeps its ring and its id, asks nothing else, and resumes later (L9g)', () => {
  const leader = { leader: { priority: 1, id: peerId(9) }, size: 4, lap: 0, hops: 1 } as const;
  const ring = new Ring(leader);
  ring.disconnect();
  ring.connect();
  defined(ring.resumes[0]).reply(NOT_NOW);
  const links = { successorLink: 'direct', predecessorLink: 'direct' } as const;
  const kept = { id: SELF, role: 'follower', leader: peerId(9), ...links };
  expect(ring.node.state).toMatchObject({ ...kept, server: 'reconnecting' });
  expect(ring.told('refused')).toMatchObject([{ code: 'try-again', message: 'too many at once' }]);
  // Without the server it has nobody to tell of it.
  ring.successor.handlers.onClose('broke');
  ring.pass(1_000);
  expect([ring.complaints, ring.lookups, ring.signals]).toEqual([[], [], []]);
  expect(ring.resumes).toHaveLength(2);
  defined(ring.resumes[1]).reply({ ok: true, view: ALONE_AT_SELF, policy: 'highest' });
  expect(ring.node.state).toMatchObject({ id: SELF, server: 'connected' });
  expect([ring.hasLeft, ring.hasDropped]).toEqual([false, false]);
});
