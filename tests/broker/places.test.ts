/** Places that are kept, lost and taken away; and a memory that is lost and gathered again. */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { PROBE_INTERVAL, PROBE_PATIENCE } from '../../shared/broker/complaints.ts';
import { COMPLAINT_INTERVAL } from '../../shared/member/complaints.ts';
import { defined, linkId, peerId, roomName } from '../support.ts';
import { signalsTo, viewsIn } from './newcomers.ts';
import { RELAYED_PROBE_SILENCE } from '../../shared/protocol/timeouts.ts';
import type { Edge, Signal } from '../../shared/protocol/signaling.ts';
import {
  codeOf,
  frameOf,
  helloOf,
  LOBBY,
  resumeOf,
  Server,
  viewOf,
  WINDOW,
  type Returning,
} from './test-broker.ts';

const CHECKS = 4_000;
const DESERTED = 30_000;
const PATIENCE = 5_000;
const MINUTE = 60_000;

/** A room of peers 1 to `size`, who have settled, in the order of the ring, and nothing else going on. */
function ringOf(size: number, limits = {}): { server: Server; ring: readonly PeerId[] } {
  const server = new Server(limits);
  const numbers = Array.from({ length: size }, (_, at) => at + 1);
  server.seat(...numbers);
  for (const number of numbers) server.settle(number);
  return { server, ring: server.peers };
}

function neighbours(ring: readonly PeerId[], id: PeerId): readonly [PeerId, PeerId] {
  const at = ring.indexOf(id);
  return [defined(ring.at(at - 1)), defined(ring[(at + 1) % ring.length])];
}

/** After so long a member is believed, in milliseconds. */
const STANDING = 10_000;

describe('a lost connection', () => {
  test('changes no place: both neighbours are asked at once, nobody else (L13a)', () => {
    const { server, ring } = ringOf(5);
    const lost = peerId(3);
    server.lose(lost);
    expect(viewsIn(server.deliveries).size).toBe(0);
    expect(new Set(server.checks())).toEqual(
      new Set(neighbours(ring, lost).map((id) => [id, lost])),
    );
    expect(server.peers).toEqual(ring);
  });

  test('is asked about every 4 s until it is back, and no more after that (L13a)', () => {
    const { server, ring } = ringOf(4);
    server.lose(peerId(2));
    server.checks();
    for (let round = 0; round < 3; round += 1) {
      server.pass(CHECKS - 1);
      expect(server.checks()).toEqual([]);
      server.pass(1);
      expect(server.checks()).toHaveLength(2);
    }
    expect(viewOf([server.resume(2)]).successor.id).toBe(neighbours(ring, peerId(2))[1]);
    server.pass(10 * CHECKS);
    expect(server.checks()).toEqual([]);
  });

  test('in a pair is asked about once, though its neighbour has it on both sides', () => {
    const { server } = ringOf(2);
    server.lose(peerId(1));
    expect(server.checks()).toEqual([[peerId(2), peerId(1)]]);
  });

  test('beside another is asked about on its other side only, and at once by a new neighbour (L13a)', () => {
    const { server, ring } = ringOf(5);
    const [first, second, third, fourth] = ring;
    server.lose(defined(second));
    server.lose(defined(third));
    server.checks();
    server.pass(CHECKS);
    expect(new Set(server.checks())).toEqual(
      new Set([
        [first, second],
        [fourth, third],
      ]),
    );
    // It goes, and the new neighbour of the other one is asked without delay.
    server.complain(defined(first), defined(second), 'silent');
    expect(server.checks()).toContainEqual([first, third]);
  });

  test('leaves no place to one who was about to get one', () => {
    const { server } = ringOf(1);
    server.join(2);
    const waiting = server.join(3);
    server.lose(peerId(3));
    server.pass(10 * WINDOW);
    expect(waiting).toEqual([]);
    expect(server.peers).not.toContain(peerId(3));
  });

  test('does not open its edges to newcomers while there are others (L2c)', () => {
    const { server, ring } = ringOf(4);
    const lost = defined(ring[0]);
    server.lose(lost);
    const before = neighbours(ring, lost);
    for (const number of [5, 6, 7, 8]) {
      server.join(number);
      server.pass(10 * WINDOW);
    }
    expect(neighbours(server.peers, lost)).toEqual(before);
  });
});

describe('a room in which nobody has a connection', () => {
  test('is remembered for 30 s, so that all may come back to their places (L13j)', () => {
    const { server, ring } = ringOf(3);
    for (const id of ring) server.lose(id);
    server.pass(DESERTED - CHECKS);
    expect(server.peers).toEqual(ring);
    expect(viewOf([server.resume(1)]).version).toBe(3);
    server.pass(10 * DESERTED);
    expect(server.peers).toEqual(ring);
  });

  test('is forgotten after that, and its name and ids are free', () => {
    const { server } = ringOf(3);
    for (const number of [1, 2, 3]) server.lose(peerId(number));
    server.pass(DESERTED + 2 * CHECKS);
    expect(server.size).toEqual({ rooms: 0, peers: 0 });
    expect(viewOf(server.join(1)).version).toBe(1);
  });

  test('counts from when the last was there, not from when the first was lost', () => {
    const { server, ring } = ringOf(2);
    server.lose(peerId(1));
    server.pass(10 * DESERTED);
    server.lose(peerId(2));
    server.pass(DESERTED - CHECKS);
    expect(server.peers).toEqual(ring);
  });

  test('counts so, too, where the last that was there has left (L13j)', () => {
    const { server } = ringOf(2);
    server.lose(peerId(1));
    server.pass(10 * DESERTED);
    server.leave(peerId(2));
    server.pass(DESERTED - CHECKS);
    expect(server.peers).toEqual([peerId(1)]);
    server.pass(3 * CHECKS);
    expect(server.size).toEqual({ rooms: 0, peers: 0 });
  });
});

describe('a word about one without a connection', () => {
  test('of a neighbour that never had a link with it counts only after 4 s (L13e)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third] = ring;
    server.lose(defined(second));
    for (const id of [first, third])
      expect(server.complain(defined(id), defined(second), 'unlinked')).toEqual([
        { ok: true, isMember: true },
      ]);
    server.pass(CHECKS);
    expect(server.complain(defined(first), defined(second), 'unlinked')).toEqual([
      { ok: true, isMember: false },
    ]);
  });

  test('of a newcomer counts 3 s after anybody could come again where all were lost (L13i)', () => {
    for (const size of [1, 3]) {
      const { server, ring } = ringOf(size);
      for (const id of ring) server.lose(id);
      server.pass(2 * CHECKS);
      server.join(9);
      const [, after] = neighbours(server.peers, peerId(9));
      const word = () => server.complain(peerId(9), after, 'unlinked');
      expect(word()).toEqual([{ ok: true, isMember: true }]);
      server.pass(RELAYED_PROBE_SILENCE - 1);
      expect(word()).toEqual([{ ok: true, isMember: true }]);
      server.checks();
      // Asked again soon after that.
      server.pass(CHECKS - RELAYED_PROBE_SILENCE + 1);
      expect(server.checks()).toContainEqual([peerId(9), after]);
      expect(word()).toEqual([{ ok: true, isMember: false }]);
    }
  });

  test('does not count at once, either, where the first to come again is a member', () => {
    const { server, ring } = ringOf(4);
    for (const id of ring) server.lose(id);
    server.pass(2 * CHECKS);
    const first = defined([1, 2, 3, 4].find((each) => peerId(each) === ring[0]));
    viewOf([server.resume(first)]);
    const word = () => server.complain(defined(ring[0]), defined(ring[1]), 'unlinked');
    expect(word()).toEqual([{ ok: true, isMember: true }]);
    server.pass(CHECKS);
    expect(word()).toEqual([{ ok: true, isMember: false }]);
  });
});

describe('a complaint', () => {
  const numberOf = (id?: PeerId) =>
    defined([1, 2, 3, 4, 5, 6, 7].find((each) => peerId(each) === id));
  const firstThree = ([one, two, three]: readonly PeerId[]) =>
    [defined(one), defined(two), defined(three)] as const;
  const STAYS = [{ ok: true, isMember: true }];
  const GOES = [{ ok: true, isMember: false }];

  test('of silence by both neighbours of one without a connection has the ring closed over it (L13d)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third] = ring;
    server.pass(30_000);
    server.lose(defined(second));
    server.delivered.length = 0;
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(STAYS);
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(STAYS);
    expect(server.complain(defined(third), defined(second), 'silent')).toEqual(GOES);
    expect([...viewsIn(server.deliveries).keys()]).toEqual([first, third]);
    expect(server.probes).toEqual([]);
  });

  test('of silence by one neighbour is enough where the other cannot tell, or has no connection (L13d)', () => {
    const words = [
      ['unlinked', 'silent'],
      ['silent', 'unlinked'],
    ] as const;
    for (const [one, other] of words) {
      const { server, ring } = ringOf(4);
      const [first, second, third] = ring;
      server.lose(defined(second));
      expect(server.complain(defined(first), defined(second), one)).toEqual(STAYS);
      expect(server.complain(defined(third), defined(second), other)).toEqual(GOES);
    }
    const { server, ring } = ringOf(4);
    const [first, second, third] = ring;
    server.lose(defined(second));
    server.lose(defined(third));
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(GOES);
  });

  test('of silence by one neighbour alone counts once there was time to come back (L13e)', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = ring;
    server.lose(defined(second));
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(STAYS);
    server.pass(RELAYED_PROBE_SILENCE - 1);
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(STAYS);
    server.pass(1);
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(GOES);
  });

  test('of silence by one that never had a link counts at once where all that had are gone (L13e)', () => {
    const { server, ring } = ringOf(5);
    const [first, second, third, fourth] = ring;
    server.lose(defined(second));
    server.leave(defined(first));
    expect(server.complain(defined(third), defined(second), 'unlinked')).toEqual(STAYS);
    server.leave(defined(third));
    expect(server.complain(defined(fourth), defined(second), 'unlinked')).toEqual(GOES);
  });

  test('counts no more once its subject has been there again', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third] = ring;
    server.lose(defined(second));
    server.complain(defined(first), defined(second), 'silent');
    viewOf([server.resume(numberOf(second))]);
    server.lose(defined(second));
    expect(server.complain(defined(third), defined(second), 'silent')).toEqual(STAYS);
  });

  test('counts no more, either, once nobody was there at all', () => {
    const { server, ring } = ringOf(3);
    const [first, second, third] = ring;
    server.lose(defined(second));
    server.complain(defined(first), defined(second), 'silent');
    server.lose(defined(first));
    server.lose(defined(third));
    viewOf([server.resume(numberOf(third))]);
    viewOf([server.resume(numberOf(first))]);
    expect(server.complain(defined(third), defined(second), 'silent')).toEqual(STAYS);
  });

  test('whose subject loses its connection while it is asked waits for no answer (L13g)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third] = ring;
    const replies = server.complain(defined(first), defined(second), 'silent');
    expect(replies).toEqual([]);
    server.delivered.length = 0;
    server.lose(defined(second));
    expect(replies).toEqual(STAYS);
    // Its neighbours are asked anew: what they said was of before.
    expect(server.checks()).toHaveLength(2);
    expect(server.complain(defined(third), defined(second), 'silent')).toEqual(STAYS);
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(GOES);
    server.pass(PROBE_PATIENCE);
    expect(replies).toHaveLength(1);
  });

  test('that waits for the other neighbour is asked for again when that one is lost, too (L13f)', () => {
    const { server, ring } = ringOf(5);
    const [first, second, third, fourth] = ring.map((id) => defined(id));
    server.lose(defined(second));
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(STAYS);
    server.delivered.length = 0;
    server.lose(defined(third));
    expect(new Set(server.checks())).toEqual(
      new Set([
        [first, second],
        [fourth, third],
      ]),
    );
    expect(server.complain(defined(first), defined(second), 'silent')).toEqual(GOES);
  });

  test('of silence about one that answers the server is believed at the third time (L16f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = ring;
    server.pass(STANDING);
    for (const expected of [true, true, false]) {
      server.pass(COMPLAINT_INTERVAL);
      const replies = server.complain(defined(first), defined(second), 'silent');
      server.probes.shift()?.answer();
      expect(replies).toEqual([{ ok: true, isMember: expected }]);
    }
    expect(server.disconnected).toEqual([second]);
  });

  test('of silence about both neighbours in turn is believed at the third time about each (L16f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, , fourth] = ring.map((id) => defined(id));
    server.pass(STANDING);
    const complain = (about: PeerId) => {
      server.pass(COMPLAINT_INTERVAL);
      const replies = server.complain(defined(first), about, 'silent');
      server.probes.shift()?.answer();
      return replies;
    };
    for (const expected of [STAYS, STAYS, GOES]) {
      expect(complain(defined(second))).toEqual(expected);
      expect(complain(defined(fourth))).toEqual(expected);
    }
    expect(server.disconnected).toEqual([second, fourth]);
  });

  test.each(['silent', 'unlinked'] as const)(
    'that one that answers the server is %s is not believed at once, however often it is made (L16f)',
    (fault) => {
      const { server, ring } = ringOf(4);
      const [first, second] = ring;
      server.pass(STANDING);
      const replies = Array.from({ length: 5 }, () =>
        server.complain(defined(first), defined(second), fault),
      );
      for (const { answer } of server.probes.splice(0)) answer();
      expect(replies.flat()).toEqual(replies.map(() => ({ ok: true, isMember: true })));
      expect(server.disconnected).toEqual([]);
    },
  );

  test('of silence by one that has only just come does not count, nor later', () => {
    const { server } = ringOf(4);
    server.pass(STANDING);
    server.join(9);
    server.settle(9);
    const [before] = neighbours(server.peers, peerId(9));
    const complain = () => {
      const replies = server.complain(peerId(9), before, 'silent');
      server.probes.shift()?.answer();
      expect(replies).toEqual([{ ok: true, isMember: true }]);
    };
    complain();
    server.pass(COMPLAINT_INTERVAL);
    complain();
    server.pass(COMPLAINT_INTERVAL);
    complain();
    expect(server.disconnected).toEqual([]);
  });

  test('of silence about one with a connection is settled by whether that one answers (L12f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = ring;
    const awake = server.complain(defined(first), defined(second), 'silent');
    expect(awake).toEqual([]);
    server.probes.shift()?.answer();
    expect(awake).toEqual([{ ok: true, isMember: true }]);
    expect(server.peers).toEqual(ring);

    server.pass(PROBE_INTERVAL);
    const asleep = server.complain(defined(first), defined(second), 'silent');
    server.pass(PROBE_PATIENCE);
    expect(asleep).toEqual([{ ok: true, isMember: false }]);
    expect(server.peers).not.toContain(second);
    expect(server.disconnected).toEqual([second]);
    expect(PROBE_PATIENCE).toBeLessThan(DESERTED);
  });

  test('of silence has its subject offered a link by its predecessor, on which it says HELLO (L12f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third] = firstThree(ring);
    const replies = server.complain(third, second, 'unlinked');
    const { from, edge, link } = defined(server.probes[0]).offer;
    expect([from, edge]).toEqual([first, 'predecessor']);
    const say = (id: PeerId, signal: Signal, on = link) =>
      server.signal(id, { to: first, edge, link: on, signals: [signal] });
    say(third, frameOf(helloOf(second, link)));
    server.delivered.length = 0;
    say(second, { type: 'relay' });
    say(second, frameOf({ type: 'heartbeat', isReply: false, count: 1 }));
    say(second, frameOf(helloOf(third, link)));
    expect(replies).toEqual([]);
    // Nothing of it is its neighbour's.
    expect(server.delivered).toEqual([]);
    say(second, frameOf(helloOf(second, link)));
    expect(replies).toEqual(STAYS);
    expect(server.deliveries).toEqual([
      { to: second, type: 'signal', signal: { from, edge, link, signals: [{ type: 'closed' }] } },
    ]);
    server.pass(PROBE_PATIENCE);
    expect(server.disconnected).toEqual([]);
  });

  test('of silence about one that has just answered is not put to it again (L12f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third] = firstThree(ring);
    server.complain(first, second, 'silent');
    server.probes.shift()?.answer();
    server.pass(PROBE_INTERVAL - 1);
    expect(server.complain(third, second, 'silent')).toEqual(STAYS);
    expect(server.probes).toEqual([]);
    server.pass(1);
    expect(server.complain(third, second, 'silent')).toEqual([]);
    expect(server.probes).toHaveLength(1);
  });

  test('about a newcomer is about those in a row with it, too (L12h)', () => {
    const server = new Server();
    server.seat(1, 2, 3, 4, 5, 6, 7);
    const ring = server.peers;
    for (const each of [0, 4, 5]) server.settle(numberOf(ring[each]));
    const forth = server.complain(defined(ring[0]), defined(ring[1]), 'unlinked');
    expect(server.probes.map(({ id }) => id)).toEqual([ring[1], ring[2], ring[3]]);
    defined(server.probes[2]).answer();
    server.pass(PROBE_PATIENCE);
    expect(forth).toEqual(GOES);
    expect(server.disconnected).toEqual([ring[1], ring[2]]);
    server.probes.length = 0;
    server.pass(PROBE_INTERVAL);
    const back = server.complain(defined(ring[4]), defined(ring[3]), 'unlinked');
    expect(server.probes.map(({ id }) => id)).toEqual([ring[3]]);
    server.pass(PROBE_PATIENCE);
    expect(back).toEqual(GOES);
  });

  test('about a member is not about the newcomers beyond it (L12h)', () => {
    const server = new Server();
    server.seat(1, 2, 3, 4);
    const [first, second] = firstThree(server.peers);
    server.settle(numberOf(second));
    server.complain(first, second, 'silent');
    expect(server.probes.map(({ id }) => id)).toEqual([second]);
  });

  test('of silence about one that is being asked has the same answer (L12f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third] = ring;
    const replies = [server.complain(defined(first), defined(second), 'silent')];
    server.pass(PROBE_PATIENCE - 1);
    replies.push(server.complain(defined(third), defined(second), 'silent'));
    replies.push(server.complain(defined(first), defined(second), 'silent'));
    expect(server.probes).toHaveLength(1);
    server.pass(1);
    expect(replies).toEqual([GOES, GOES, GOES]);
    expect(server.disconnected).toEqual([second]);
  });

  test('of silence about one waits for that one alone (L12f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second, third, fourth] = ring.map((id) => defined(id));
    const early = server.complain(defined(first), defined(second), 'silent');
    server.pass(1_000);
    const late = server.complain(defined(third), defined(fourth), 'silent');
    server.probes.shift()?.answer();
    expect(early).toEqual(STAYS);
    server.pass(PROBE_PATIENCE - 1);
    expect(late).toEqual([]);
    server.pass(1);
    expect(late).toEqual(GOES);
    expect(server.disconnected).toEqual([fourth]);
  });

  test('of silence about one that comes over another connection waits for no answer', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = ring;
    const replies = server.complain(defined(first), defined(second), 'silent');
    viewOf([server.resume(numberOf(second))]);
    expect(replies).toEqual(STAYS);
    server.pass(PROBE_PATIENCE);
    expect(server.disconnected).toEqual([]);
  });

  test('of silence about one that comes over another connection each time counts as well (L16f)', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = ring;
    server.pass(STANDING);
    for (const expected of [STAYS, STAYS, GOES]) {
      server.pass(COMPLAINT_INTERVAL);
      const replies = server.complain(defined(first), defined(second), 'silent');
      server.resume(numberOf(second));
      expect(replies).toEqual(expected);
    }
    expect(server.disconnected).toEqual([second]);
  });

  test('that is answered after its subject has left says so, and evicts nobody', () => {
    const { server, ring } = ringOf(3);
    const [first, second] = ring;
    const replies = server.complain(defined(first), defined(second), 'silent');
    server.leave(defined(second));
    expect(replies).toEqual(GOES);
    server.pass(PROBE_PATIENCE);
    expect(replies).toEqual([{ ok: true, isMember: false }]);
    expect(server.disconnected).toEqual([]);
  });

  test('of misbehaviour has its subject turned out, which is refused when it comes back (L16d)', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = ring;
    server.pass(STANDING);
    expect(server.accuse(defined(first), defined(second))).toEqual([{ ok: true, isMember: false }]);
    expect(server.disconnected).toEqual([second]);
    const number = [1, 2, 3, 4].find((each) => peerId(each) === second);
    expect(codeOf([server.resume(defined(number))])).toBe('place-lost');
  });

  test('of misbehaviour by one that makes no links is not believed, and turns out that one (L16d)', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = firstThree(ring);
    server.pass(STANDING);
    const replies = server.complain(first, second, 'misbehaves');
    expect(server.probes.map(({ id }) => id)).toEqual([first]);
    server.pass(PROBE_PATIENCE);
    expect(replies).toEqual(STAYS);
    expect(server.disconnected).toEqual([first]);
  });

  test('of misbehaviour by one that has only just come is not believed (L16d)', () => {
    const { server, ring } = ringOf(4);
    const [first, second] = ring;
    server.join(9);
    const [before] = neighbours(server.peers, peerId(9));
    expect(server.accuse(peerId(9), before)).toEqual([{ ok: true, isMember: true }]);
    expect(server.accuse(defined(first), defined(second))).toHaveLength(1);
    expect(server.disconnected).toEqual([]);
  });

  test('by one that says it was a member in another memory is not believed sooner', () => {
    const { server, ring } = ringOf(4);
    server.pass(MINUTE);
    const numbers = [7, ...ring.map((id) => defined([1, 2, 3, 4].find((n) => peerId(n) === id)))];
    viewOf([resumed(server, numbers, 7)]);
    server.settle(7);
    const [before] = neighbours(server.peers, peerId(7));
    const accuse = () => server.accuse(peerId(7), before);
    expect(accuse()).toEqual([{ ok: true, isMember: true }]);
    server.pass(STANDING);
    expect(accuse()).toEqual([{ ok: true, isMember: false }]);
  });

  test('of misbehaviour is believed twice in ten minutes from all members at one address (L16e)', () => {
    const server = new Server();
    for (const number of [1, 2, 3, 4, 5, 6, 7]) server.addresses.set(peerId(number), 'school');
    server.seat(1, 2, 3, 4, 5, 6, 7, 8);
    for (const number of [1, 2, 3, 4, 5, 6, 7, 8]) server.settle(number);
    server.pass(STANDING);
    const accuse = (accuser: PeerId) => {
      const about = neighbours(server.peers, accuser)[1];
      return server.accuse(accuser, about);
    };
    const accuseFromSchool = () => {
      const { peers } = server;
      const [one] = peers.filter((id) => ![id, neighbours(peers, id)[1]].includes(peerId(8)));
      return accuse(defined(one));
    };
    expect([accuseFromSchool(), accuseFromSchool(), accuseFromSchool()]).toEqual([
      GOES,
      GOES,
      STAYS,
    ]);
    expect(accuse(peerId(8))).toEqual(GOES);
    expect(server.disconnected).toHaveLength(3);
    server.pass(10 * MINUTE);
    expect(accuseFromSchool()).toEqual(GOES);
    expect(server.broker.accusations.size).toBe(1);
  });

  test.each(['silent', 'misbehaves'] as const)(
    'that one who is no neighbour is %s touches nobody',
    (fault) => {
      const { server, ring } = ringOf(5);
      const [first, , third] = ring;
      expect(server.complain(defined(first), defined(third), fault)).toEqual([
        { ok: true, isMember: true },
      ]);
      expect(server.complain(defined(first), defined(first), fault)).toEqual([
        { ok: true, isMember: true },
      ]);
      expect(server.complain(defined(first), peerId(99), fault)).toEqual([
        { ok: true, isMember: false },
      ]);
      expect(server.complain(peerId(99), defined(first), fault)).toMatchObject([
        { ok: false, code: 'not-joined' },
      ]);
      expect(server.peers).toEqual(ring);
      expect([...server.probes, ...server.disconnected]).toEqual([]);
    },
  );
});

describe('a question', () => {
  test('is answered by whether its subject has a place, with a connection or without', () => {
    const { server } = ringOf(2);
    server.lose(peerId(2));
    const about = (number: number) => server.lookup(peerId(number));
    expect(about(1)).toEqual([{ ok: true, isMember: true }]);
    expect(about(2)).toEqual([{ ok: true, isMember: true }]);
    expect(about(3)).toEqual([{ ok: true, isMember: false }]);
    server.join(3);
    server.join(4);
    expect(about(4)).toEqual([{ ok: true, isMember: false }]);
  });

  test('of one that leaves meanwhile is refused, and of one that comes over another connection is dropped', () => {
    const server = new Server();
    for (const number of [1, 2]) resumed(server, [1, 2, 3], number);
    const dropped = server.lookup(peerId(3));
    resumed(server, [1, 2, 3], 1);
    const refused = server.lookup(peerId(3));
    server.leave(peerId(1));
    server.pass(PATIENCE);
    expect(dropped).toEqual([]);
    expect(refused).toMatchObject([{ ok: false, code: 'not-joined' }]);
  });
});

describe('the policy of a room', () => {
  test('is that of the peer that opened it, for all that join or return', () => {
    const server = new Server();
    const policyOf = ([reply]: ReturnType<Server['join']>) => reply?.ok === true && reply.policy;
    expect(policyOf(server.join(1, { policy: 'incumbent' }))).toBe('incumbent');
    server.pass(10 * WINDOW);
    expect(policyOf(server.join(2, { policy: 'highest' }))).toBe('incumbent');
    expect(policyOf([server.resume(2)])).toBe('incumbent');
    expect(server.policy(LOBBY)).toBe('incumbent');
    expect(server.policy(roomName('nowhere'))).toBeNull();
  });

  test('comes back with its members, also where a newcomer has opened the room anew', () => {
    const server = new Server();
    server.join(9, { policy: 'highest' });
    resumed(server, [1, 2, 3], 1, { place: { policy: 'incumbent' } });
    expect(server.policy(LOBBY)).toBe('incumbent');
  });
});

test('links through the server that one member offers another are 16 at once, and one in two seconds after that (L10g)', () => {
  const { server, ring } = ringOf(3);
  const [first, second, third] = [defined(ring[0]), defined(ring[1]), defined(ring[2])];
  let link = 1;
  const passed = (to: PeerId, edge: Edge, type: 'relay' | 'closed') => {
    server.delivered.length = 0;
    for (let offer = 0; offer < 20; offer += 1) {
      link += 1;
      server.signal(first, { to, edge, link: linkId(link), signals: [{ type }] });
    }
    return signalsTo(server.deliveries, to).length;
  };
  expect(passed(second, 'successor', 'relay')).toBe(16);
  expect(passed(second, 'successor', 'closed')).toBe(20);
  expect(passed(third, 'predecessor', 'relay')).toBe(16);
  server.pass(4_000);
  expect(passed(second, 'successor', 'relay')).toBe(2);
});

describe('a server that relays', () => {
  const frame = (bytes: number): Signal => ({ type: 'frame', frame: new Uint8Array(bytes) });

  test('nothing refuses links through it, and passes on all others (L11g)', () => {
    const { server, ring } = ringOf(2, { relays: false });
    const [first, second] = [defined(ring[0]), defined(ring[1])];
    const say = (signal: Signal) =>
      server.signal(first, { to: second, edge: 'successor', link: linkId(7), signals: [signal] });
    expect(say({ type: 'relay' })).toMatchObject({ ok: false, code: 'no-relay' });
    expect(say({ type: 'offer', sdp: 'v=0' })).toEqual({ ok: true });
    // Probes need no such link.
    server.complain(first, second, 'silent');
    server.probes.shift()?.answer();
    server.pass(PROBE_PATIENCE);
    expect(server.disconnected).toEqual([]);
  });

  test('passes on so many bytes of a room and then ends the link, until there was time for more (L10h)', () => {
    const { server, ring } = ringOf(2, { relayedBytes: 1_000 });
    const [first, second] = [defined(ring[0]), defined(ring[1])];
    const say = (bytes: number, from = first) => {
      server.delivered.length = 0;
      const signals = [frame(bytes)];
      const reply = server.signal(from, {
        to: from === first ? second : first,
        edge: from === first ? 'successor' : 'predecessor',
        link: linkId(7),
        signals,
      });
      const told = server.deliveries.map((each) =>
        each.type === 'signal' ? each.signal.signals[0]?.type : each.type,
      );
      return [reply.ok, told];
    };
    const [passed, ended] = [
      [true, ['frame']],
      [false, ['closed']],
    ];
    // A quarter of eight seconds' for each.
    expect(say(2_000)).toEqual(passed);
    for (let more = 0; more < 10; more += 1) expect(say(5_000)).toEqual(ended);
    // What was not passed on is not taken from others.
    expect(say(2_000, second)).toEqual(passed);
    server.pass(1_000);
    expect(say(250)).toEqual(passed);
    expect(say(1)).toEqual(ended);
  });
});

describe('signals between those who were neighbours', () => {
  test('still pass, in both directions, while the link they had may be in use (L10d)', () => {
    const { server, ring } = ringOf(2);
    const [first, second] = [defined(ring[0]), defined(ring[1])];
    server.join(3);
    server.pass(10 * WINDOW);
    const between = defined(server.peers.find((id) => !ring.includes(id)));
    const [before, after] = neighbours(server.peers, between);
    expect(new Set([before, after])).toEqual(new Set([first, second]));
    const request = { link: linkId(7), signals: [{ type: 'closed' as const }] };
    server.delivered.length = 0;
    const forth = { ...request, to: after, edge: 'successor' as const };
    const back = { ...request, to: before, edge: 'predecessor' as const };
    expect(server.signal(before, forth)).toEqual({ ok: true });
    expect(server.signal(after, back)).toEqual({ ok: true });
    expect(signalsTo(server.deliveries, after)).toHaveLength(1);
  });

  test('end with the fifth that has come between since (L10d)', () => {
    const server = new Server({ peersPerRoom: 1_000 });
    server.seat(1, 2);
    const first = peerId(1);
    // The edge of the first is split once in each doubling of the ring.
    const former: PeerId[] = [];
    for (let number = 3; number < 200; number += 1) {
      const before = neighbours(server.peers, first)[1];
      server.join(number);
      server.pass(10 * WINDOW);
      if (neighbours(server.peers, first)[1] !== before) former.push(before);
    }
    const passes = former.map(
      (to) =>
        server.signal(first, {
          to,
          edge: 'successor',
          link: linkId(7),
          signals: [{ type: 'closed' }],
        }).ok,
    );
    expect(passes).toEqual(former.map((_, at) => at >= former.length - 4));
    expect(passes).toContain(false);
  });
});

describe('an evicted peer', () => {
  /** Peer 1 has got another predecessor since 2 was it: it may still read what 2 sends it. */
  function relinked(): Server {
    const server = new Server({});
    server.seat(1, 2);
    server.join(3);
    server.pass(10 * WINDOW);
    server.join(4);
    server.pass(10 * WINDOW);
    const [before, after] = neighbours(server.peers, peerId(1));
    expect([before, after]).not.toContain(peerId(2));
    // Long enough to be believed.
    server.pass(MINUTE);
    server.delivered.length = 0;
    return server;
  }

  test('is told to those who had it for a predecessor before, who may still listen to it (L16g)', () => {
    const server = relinked();
    const [accuser] = neighbours(server.peers, peerId(2));
    server.accuse(accuser, peerId(2));
    expect(server.peers).not.toContain(peerId(2));
    expect(viewsIn(server.deliveries).get(peerId(1))?.removed).toEqual([peerId(2)]);
  });

  test('that went by itself said goodbye on its links: its neighbours alone are told', () => {
    const server = relinked();
    server.leave(peerId(2));
    expect(new Set(viewsIn(server.deliveries).keys())).toEqual(new Set([peerId(3), peerId(4)]));
  });
});

/** One of a ring asks for its place in a memory that another server had. */
function resumed(server: Server, ring: readonly number[], number: number, part: Returning = {}) {
  const at = ring.indexOf(number);
  return server.resume(number, undefined, {
    ...part,
    place: {
      incarnation: 'sunday.1',
      era: 1,
      version: 7,
      successor: peerId(defined(ring[(at + 1) % ring.length])),
      predecessor: peerId(defined(ring.at(at - 1))),
      ...part.place,
    },
  });
}

/** Successors by peer. */
function edgesOf(order: readonly PeerId[]): Map<PeerId, PeerId> {
  return new Map(order.map((id, at) => [id, defined(order[(at + 1) % order.length])]));
}

describe('after the server has lost its memory', () => {
  const RING = [4, 1, 5, 2, 3];
  const WHOLE = edgesOf(RING.map((number) => peerId(number)));

  test('those who come back have their places, and nobody is told anything (L14a)', () => {
    const server = new Server();
    for (const number of [2, 4, 3, 5, 1]) {
      const view = viewOf([resumed(server, RING, number)]);
      const at = RING.indexOf(number);
      expect(view.successor).toEqual({ id: peerId(defined(RING[(at + 1) % 5])), link: null });
      expect(view.incarnation).toBe('monday.1');
    }
    server.pass(10 * PATIENCE);
    expect(server.delivered).toEqual([]);
    expect(edgesOf(server.peers)).toEqual(WHOLE);
  });

  test('one who comes and goes does not keep newcomers waiting', () => {
    const server = new Server();
    resumed(server, RING, 4);
    const newcomer = server.join(9);
    for (let round = 0; round < 5; round += 1) {
      server.lose(peerId(4));
      server.pass(1_500);
      server.resume(4);
      server.pass(1_500);
    }
    expect(newcomer).toHaveLength(1);
  });

  test('newcomers wait until all are back, and no longer (L14a, L14c)', () => {
    const server = new Server();
    resumed(server, RING, 4);
    const newcomer = server.join(9);
    for (const number of [1, 5, 2]) resumed(server, RING, number);
    server.pass(PATIENCE - 1);
    expect(newcomer).toEqual([]);
    resumed(server, RING, 3);
    expect(viewOf(newcomer).version).toBeGreaterThan(1);
    expect(server.peers).toHaveLength(6);
  });

  test('newcomers that wait for their place wait on (L14c)', () => {
    const server = new Server();
    server.join(8);
    const newcomer = server.join(9);
    resumed(server, RING, 4);
    server.pass(PATIENCE - 1);
    expect(newcomer).toEqual([]);
    server.pass(1);
    expect(viewOf(newcomer).version).toBeGreaterThan(1);
  });

  test('newcomers wait 5 s at most for those who do not come (L14a)', () => {
    const server = new Server();
    resumed(server, RING, 4);
    const newcomer = server.join(9);
    server.pass(PATIENCE - 1);
    expect(newcomer).toEqual([]);
    server.pass(1);
    expect(viewOf(newcomer).version).toBeGreaterThan(1);
  });

  test('nobody is waited for in vain while nobody can reach the server (L14d)', () => {
    const server = new Server();
    resumed(server, RING, 4);
    server.lose(peerId(4));
    server.pass(2 * PATIENCE);
    // Nobody who is back names these two.
    for (const number of [5, 2, 4, 3, 1]) viewOf([resumed(server, RING, number)]);
    server.pass(PATIENCE);
    expect(edgesOf(server.peers)).toEqual(WHOLE);
    expect(server.delivered).toEqual([]);
  });

  test('one who comes and goes does not keep it waiting for longer than a minute, nor its questions (L14d)', () => {
    const server = new Server();
    resumed(server, RING, 4);
    const lobby = defined(server.broker.rooms.get(LOBBY));
    const waited: number[] = [];
    while (lobby.recollections !== null && waited.length < 99) {
      waited.push(server.clock.now());
      expect(server.lookup(peerId(1))).toEqual([]);
      server.lose(peerId(4));
      server.pass(4_000);
      server.resume(4);
    }
    expect(defined(waited.at(-1))).toBeGreaterThan(MINUTE - 4_000);
    expect(defined(waited.at(-1))).toBeLessThan(MINUTE + PATIENCE);
    expect(server.lookup(peerId(9))).toEqual([{ ok: true, isMember: false }]);
  });

  test('a newcomer ends a recovery in which nobody is there', () => {
    const server = new Server();
    resumed(server, RING, 4);
    server.lose(peerId(4));
    server.pass(2 * PATIENCE);
    const newcomer = server.join(9);
    server.pass(PATIENCE);
    expect(viewOf(newcomer).version).toBeGreaterThan(1);
  });

  test('a peer that others name keeps its place for a while, and is asked about (L14f)', () => {
    const server = new Server();
    for (const number of [4, 1, 2, 3]) resumed(server, RING, number);
    server.pass(PATIENCE);
    expect(edgesOf(server.peers)).toEqual(WHOLE);
    expect(new Set(server.checks())).toEqual(
      new Set([
        [peerId(1), peerId(5)],
        [peerId(2), peerId(5)],
      ]),
    );
    server.pass(CHECKS);
    expect(server.checks()).toHaveLength(2);
    server.complain(peerId(1), peerId(5), 'silent');
    expect(server.peers).toHaveLength(4);
    expect(codeOf([resumed(server, RING, 5)])).toBe('place-lost');
  });

  test('a peer that comes back late has the place that was kept for it, with any secret', () => {
    const server = new Server();
    for (const number of [4, 1, 2, 3]) resumed(server, RING, number);
    server.pass(PATIENCE);
    server.delivered.length = 0;
    viewOf([resumed(server, RING, 5)]);
    expect(server.delivered).toEqual([]);
    expect(edgesOf(server.peers)).toEqual(WHOLE);
    expect(codeOf([server.resume(5, 'another secret of some length')])).toBe('place-lost');
    server.pass(10 * CHECKS);
    expect(server.checks()).toEqual([]);
  });

  test('a peer that comes back later still, and was not named, is put beside its old neighbours (L14j)', () => {
    const server = new Server();
    resumed(server, RING, 4);
    server.pass(PATIENCE);
    // Four is back, one and three were named; five and two are the last that nobody named.
    viewOf([resumed(server, RING, 5)]);
    viewOf([resumed(server, RING, 2)]);
    server.pass(CHECKS);
    expect(edgesOf(server.peers)).toEqual(WHOLE);
  });

  test('a peer that the members presume departed is refused, and told to go where it came first (L14h)', () => {
    const server = new Server();
    const rest = [4, 1, 2, 3];
    viewOf([resumed(server, RING, 5, { place: placeOf(RING, 5, 3) })]);
    for (const number of rest) resumed(server, rest, number, { removed: [peerId(5)] });
    server.pass(PATIENCE);
    expect(edgesOf(server.peers)).toEqual(edgesOf(rest.map((each) => peerId(each))));
    expect(server.disconnected).toEqual([peerId(5)]);
    expect(codeOf([resumed(server, RING, 5)])).toBe('place-lost');
    expect(codeOf(server.join(5))).toBe('id-taken');
  });

  test('newcomers that were first have to come again, and wait for those who come back (L14b)', () => {
    const server = new Server();
    server.seat(8, 9);
    viewOf([resumed(server, RING, 4)]);
    expect(new Set(server.disconnected)).toEqual(new Set([peerId(8), peerId(9)]));
    expect(codeOf([server.resume(9)])).toBe('place-lost');
    const again = server.join(19);
    for (const number of RING.slice(1, -1)) resumed(server, RING, number);
    expect(again).toEqual([]);
    resumed(server, RING, 3);
    expect(viewOf(again).version).toBeGreaterThan(1);
    expect(edgesOf(server.peers.filter((id) => id !== peerId(19)))).toEqual(WHOLE);
    expect(server.peers).toHaveLength(6);
  });

  test('a newcomer that waits for its first place goes on waiting', () => {
    const server = new Server();
    server.join(8);
    const waiting = server.join(9);
    for (const number of RING) resumed(server, RING, number);
    expect(waiting).toEqual([]);
    server.pass(WINDOW);
    expect(viewOf(waiting).version).toBeGreaterThan(1);
    expect(server.disconnected).toEqual([peerId(8)]);
  });

  test('an id that a newcomer has meanwhile taken is its member’s again', () => {
    const server = new Server();
    resumed(server, RING, 4);
    const thief = server.join(1, { secret: 'the secret of a thief' });
    expect(thief).toEqual([]);
    for (const number of [5, 2, 3]) resumed(server, RING, number);
    server.pass(PATIENCE);
    expect(codeOf(thief)).toBe('id-taken');
    viewOf([resumed(server, RING, 1)]);
    expect(edgesOf(server.peers)).toEqual(WHOLE);
  });

  test('a newcomer whose id is said to be gone is refused, and leaves no place behind', () => {
    const server = new Server();
    resumed(server, RING, 4);
    const newcomer = server.join(9);
    resumed(server, RING, 1, { removed: [peerId(9)] });
    server.pass(PATIENCE);
    expect(codeOf(newcomer)).toBe('id-taken');
    server.lose(peerId(9));
    server.pass(10 * WINDOW);
    expect(server.peers).not.toContain(peerId(9));
  });

  test('questions wait for the end, so that nobody is called gone who is about to come back', () => {
    const server = new Server();
    resumed(server, RING, 4);
    const about = [1, 5, 8].map((number) => server.lookup(peerId(number)));
    expect(about).toEqual([[], [], []]);
    for (const number of [1, 5, 2, 3]) resumed(server, RING, number);
    expect(about).toEqual([
      [{ ok: true, isMember: true }],
      [{ ok: true, isMember: true }],
      [{ ok: true, isMember: false }],
    ]);
  });

  test('one that has said goodbye to its neighbours while no server was there is not waited for (L14g)', () => {
    const server = new Server();
    for (const number of [4, 3]) resumed(server, RING, number);
    for (const number of [1, 2]) resumed(server, RING, number, { removed: [peerId(5)] });
    const newcomer = server.join(9);
    expect(viewOf(newcomer).version).toBeGreaterThan(1);
    expect(server.peers).not.toContain(peerId(5));
    expect(server.checks()).toEqual([]);
    expect(server.size.peers).toBe(5);
  });

  test('nobody is told meanwhile of one that leaves, nor of a later era (L14c)', () => {
    const server = new Server();
    for (const number of [4, 1, 5]) resumed(server, RING, number);
    server.settle(4);
    server.leave(peerId(1));
    const neighbours = { successor: peerId(3), predecessor: peerId(5) };
    const place = { incarnation: 'sunday.1', era: 1e12 + MINUTE, version: 7, ...neighbours };
    resumed(server, RING, 2, { place });
    expect(server.delivered).toEqual([]);
    server.pass(PATIENCE);
    expect(server.delivered).not.toEqual([]);
  });

  test('one that leaves meanwhile is not waited for', () => {
    const server = new Server();
    const newcomer = server.join(9);
    server.leave(peerId(9));
    expect(newcomer).toHaveLength(1);
    for (const number of RING) resumed(server, RING, number);
    server.leave(peerId(5));
    const rest = [4, 1, 2, 3].map((number) => peerId(number));
    expect(edgesOf(server.peers)).toEqual(edgesOf(rest));
    expect(new Set(viewsIn(server.deliveries).keys())).toEqual(new Set([peerId(1), peerId(2)]));
  });

  test('a room takes no more than it may, and keeps no places beyond that for the absent', () => {
    const server = new Server({ peersPerRoom: 3 });
    resumed(server, RING, 4);
    resumed(server, RING, 5);
    server.pass(PATIENCE);
    expect(server.size.peers).toBe(3);
    expect(codeOf([resumed(server, RING, 2)])).toBe('room-full');
    const full = new Server({ rooms: 1 });
    full.join(1, { room: roomName('garden') });
    expect(codeOf([resumed(full, RING, 2)])).toBe('room-full');
  });

  test('there is one such pause, and none for a peer that comes after a minute to a room with members (L14i)', () => {
    const server = new Server();
    for (const number of RING) resumed(server, RING, number);
    server.pass(PATIENCE);
    viewOf([resumed(server, [8, 4], 8)]);
    expect(viewOf(server.join(9)).version).toBeGreaterThan(1);

    const old = new Server();
    old.join(9);
    old.pass(MINUTE);
    viewOf([resumed(old, RING, 4)]);
    expect(viewOf(old.join(10)).version).toBeGreaterThan(1);
    expect(old.disconnected).toEqual([]);
  });

  test('those who come back after a minute, too, have their places in a room without members', () => {
    const server = new Server();
    server.pass(MINUTE);
    for (const number of RING) viewOf([resumed(server, RING, number)]);
    server.pass(10 * PATIENCE);
    expect(server.delivered).toEqual([]);
    expect(edgesOf(server.peers)).toEqual(WHOLE);
  });

  test('those who come back after a minute to others keep their ids and their order', () => {
    const server = new Server();
    server.pass(MINUTE);
    server.seat(8);
    for (const number of [4, 5, 1, 3, 2]) viewOf([resumed(server, RING, number)]);
    server.pass(PATIENCE);
    const order = server.peers;
    expect(edgesOf(order.filter((id) => id !== peerId(8)))).toEqual(WHOLE);
    expect(order).toHaveLength(6);
    expect(server.disconnected).toEqual([]);
  });
});

describe('a memory that nobody else has', () => {
  const GARDEN = roomName('garden');
  const MADE_UP = [7, 1, 6];

  const viewsTo = ({ deliveries }: Server, id: PeerId) =>
    deliveries.flatMap((each) => (each.type === 'view' && each.to === id ? [each.view] : []));

  test('turns nobody out of a room, however young, of a server that has run for a minute', () => {
    const server = new Server();
    server.pass(MINUTE);
    server.seat(1, 2);
    const ring = server.peers;
    viewOf([resumed(server, MADE_UP, 7, { removed: [peerId(1), peerId(2)] })]);
    expect(server.disconnected).toEqual([]);
    expect(viewOf(server.join(3)).version).toBeGreaterThan(1);
    expect(server.peers).toEqual(expect.arrayContaining([...ring]));
  });

  test('of an era to come has no later one fall behind it, also in the room opened next (R9h)', () => {
    const server = new Server();
    server.join(1);
    const made = { ...placeOf(MADE_UP, 7, 1), era: server.settle(1) + 4 * MINUTE };
    viewOf([resumed(server, MADE_UP, 7, { place: made })]);
    const era = server.settle(7);
    expect(era).toBeGreaterThan(made.era);
    for (const id of server.peers) server.leave(id);
    expect(server.size.rooms).toBe(0);
    server.join(2);
    expect(server.settle(2)).toBeGreaterThan(era);
  });

  test('of an era to come has no later one fall behind it in a room that all of its members left (R9i)', () => {
    const server = new Server();
    server.join(1);
    const made = { ...placeOf(MADE_UP, 7, 1), era: server.settle(1) + 4 * MINUTE };
    resumed(server, MADE_UP, 7, { place: made });
    // Its clock was set back while it was down, and this room emptied meanwhile.
    const elsewhere = roomName('elsewhere');
    server.join(2, { room: elsewhere });
    expect(server.settle(2, elsewhere)).toBeGreaterThan(made.era);
  });

  test('without a ticket of this server, or with that of another member, gives no place (L14k)', () => {
    const server = new Server();
    const own = resumeOf(7, { place: { incarnation: 'sunday.1' } }).ticket;
    for (const part of [
      { ticket: '' },
      { id: peerId(1), ticket: own },
      { room: GARDEN, ticket: own },
    ])
      expect(codeOf([server.resume(7, undefined, part)])).toBe('place-lost');
    expect(server.size).toEqual({ rooms: 0, peers: 0 });
    server.seat(1);
    expect(codeOf([server.resume(7, undefined, { ticket: '' })])).toBe('place-lost');
    expect(server.peers).toEqual([peerId(1)]);
  });

  test('gives nobody the place of one that was only named (L14f)', () => {
    const server = new Server();
    for (const number of [7, 6]) viewOf([resumed(server, MADE_UP, number)]);
    server.pass(PATIENCE);
    expect(server.peers).toContain(peerId(1));
    expect(codeOf([server.resume(1, undefined, { ticket: '' })])).toBe('place-lost');
    viewOf([resumed(server, MADE_UP, 1)]);
  });

  test('has others than neighbours departed for nobody, where it comes later (L14j)', () => {
    const server = new Server();
    server.pass(MINUTE);
    server.seat(9);
    const removed = [1, 2, 3, 4, 5].map((number) => peerId(number));
    viewOf([resumed(server, MADE_UP, 7, { removed })]);
    for (const number of [2, 3, 4, 5]) viewOf([resumed(server, [2, 3, 4, 5], number)]);
    expect(codeOf([resumed(server, MADE_UP, 1)])).toBe('place-lost');
  });

  test('is not that of another room, which the server has forgotten', () => {
    const server = new Server();
    const garden = roomName('garden');
    viewOf(server.join(1, { room: garden }));
    server.lose(peerId(1), garden);
    server.pass(MINUTE);
    server.seat(2);
    const place = { ...placeOf(MADE_UP, 7, 1), incarnation: 'monday.1' };
    expect(codeOf([server.resume(7, undefined, { place })])).toBe('place-lost');
    expect(server.peers).toEqual([peerId(2)]);
  });

  /** Somebody comes to one end of the ring with an era that is a little later than all before. */
  function bringEra(server: Server, number: number): number {
    const era = 1e12 + server.clock.now();
    const place = { ...placeOf([number, 1, 6], number, 1), era };
    viewOf([server.resume(number, undefined, { place })]);
    return server.settle(number);
  }

  test('has all be told of its era at once, and of those that follow four times a second', () => {
    const { server, ring } = ringOf(20);
    server.pass(MINUTE);
    const bystander = defined(ring.find((id) => !neighbours(ring, peerId(1)).includes(id)));
    for (let number = 1; number <= 20; number += 1) server.settle(number);
    const first = bringEra(server, 100);
    expect(viewsTo(server, bystander).map(({ era }) => era)).toEqual([first]);
    let last = first;
    for (let number = 101; number < 200; number += 1) {
      server.leave(peerId(number - 1));
      server.pass(10);
      last = bringEra(server, number);
    }
    server.pass(MINUTE);
    const eras = viewsTo(server, bystander).map(({ era }) => era);
    expect(eras.length).toBeLessThanOrEqual(5);
    expect(eras.at(-1)).toBe(last);
    expect(eras).toEqual(eras.toSorted());
  });

  test('does not change the policy of those who have come back before it', () => {
    const server = new Server();
    resumed(server, [1, 2], 1, { place: { policy: 'incumbent' } });
    resumed(server, MADE_UP, 7, { place: { policy: 'highest' } });
    server.pass(PATIENCE);
    expect(server.policy(LOBBY)).toBe('incumbent');
  });

  test('turns out none of those who have come back before it', () => {
    const server = new Server();
    const ring = [1, 2, 3, 4];
    resumed(server, ring, 1);
    resumed(server, [7, 6, 5], 7, { removed: [peerId(1)] });
    server.pass(PATIENCE);
    expect(server.disconnected).toEqual([]);
    expect(server.peers).toContain(peerId(1));
  });
});

describe('a ring that was out of reach until the server forgot it', () => {
  test('has its order again in a room that was opened meanwhile, and turns nobody out, however young that is (L14i)', () => {
    for (const age of [0, MINUTE]) {
      const server = new Server();
      server.seat(1, 2, 3);
      const ring = server.peers;
      for (const id of ring) server.lose(id);
      server.pass(40_000);
      expect(server.size.rooms).toBe(0);
      server.seat(9);
      server.pass(age);
      const numbers = ring.map((id) => defined([1, 2, 3].find((each) => peerId(each) === id)));
      for (const number of numbers) {
        const place = { ...placeOf(numbers, number, 3), incarnation: 'monday.1' };
        viewOf([server.resume(number, undefined, { place })]);
      }
      expect(server.disconnected).toEqual([]);
      const others = server.peers.filter((id) => id !== peerId(9));
      expect(edgesOf(others)).toEqual(edgesOf(ring));
    }
  });
});

function placeOf(ring: readonly number[], number: number, version: number) {
  const at = ring.indexOf(number);
  return {
    incarnation: 'sunday.1',
    era: 1,
    version,
    successor: peerId(defined(ring[(at + 1) % ring.length])),
    predecessor: peerId(defined(ring.at(at - 1))),
  };
}
