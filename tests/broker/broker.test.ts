/** The broker: which peers are let in, when, and what each receives. */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import { NO_FACTS } from '../../shared/broker/facts.ts';
import { PLAIN_TICKETS } from '../../shared/simulation/plain-tickets.ts';
import { defined, linkId, peerId, roomName } from '../support.ts';
import { offerDelivered, offerOf, signalsTo, viewsIn } from './newcomers.ts';
import { codeOf, LOBBY, Server, viewOf, WINDOW } from './test-broker.ts';

describe('L2: when newcomers are given their places', () => {
  test('a lone arrival waits for nothing (L2a)', () => {
    const server = new Server();
    expect(viewOf(server.join(1)).version).toBe(1);
  });

  test('a second one long after the first waits for nothing either', () => {
    const server = new Server();
    server.seat(1);
    expect(viewOf(server.join(2)).successor.id).toBe(peerId(1));
  });

  test('those that come soon after the first are placed together once nobody follows for a window (L2b)', () => {
    const server = new Server();
    server.seat(1);
    server.pass(1_000);
    const first = server.join(2);
    const later = [3, 4, 5].map((number) => {
      server.pass(WINDOW - 1);
      return server.join(number);
    });
    expect(viewOf(first).version).toBe(2);
    server.pass(WINDOW - 1);
    expect(later).toEqual([[], [], []]);
    expect(server.size).toEqual({ rooms: 1, peers: 2 });
    server.pass(1);
    expect(later.map((replies) => viewOf(replies).version)).toEqual([3, 3, 3]);
    expect(server.size).toEqual({ rooms: 1, peers: 5 });
  });

  test('a burst that does not end is placed in parts, nobody waiting for more than ten windows (L2b)', () => {
    const server = new Server();
    server.join(1);
    const waited: number[] = [];
    for (let number = 2; number < 60; number += 1) {
      const asked = server.clock.now();
      server.join(number, {}, () => waited.push(server.clock.now() - asked));
      server.pass(WINDOW / 2);
    }
    expect(waited.length).toBeGreaterThan(39);
    expect(Math.max(...waited)).toBe(10 * WINDOW);
  });

  test('one that comes just as the window ends waits for nothing', () => {
    const server = new Server();
    server.join(1);
    server.pass(WINDOW);
    expect(viewOf(server.join(2)).version).toBe(2);
  });

  test('after a burst the window begins anew', () => {
    const server = new Server();
    server.join(1);
    server.join(2);
    server.pass(WINDOW);
    const late = server.join(3);
    expect(late).toEqual([]);
    server.pass(WINDOW);
    expect(viewOf(late).version).toBe(3);
  });

  test('each is answered exactly once', () => {
    const server = new Server();
    const all = [1, 2, 3, 4].map((number) => server.join(number));
    server.pass(10 * WINDOW);
    expect(all.map(({ length }) => length)).toEqual([1, 1, 1, 1]);
  });

  test('one that leaves before its turn is never placed, is told so, and may come back', () => {
    const server = new Server();
    server.seat(1);
    server.join(2);
    const leaving = server.join(3);
    const staying = server.join(4);
    server.leave(peerId(3));
    server.pass(WINDOW);
    expect(leaving).toEqual([expect.objectContaining({ code: 'place-lost' })]);
    expect(viewOf(staying).removed).toEqual([]);
    expect(server.peers).not.toContain(peerId(3));
    server.pass(WINDOW);
    expect(viewOf(server.join(3)).version).toBe(4);
  });
});

describe('what reaches whom', () => {
  test('a newcomer gets its view as the answer, its neighbours get views and its offers', () => {
    const server = new Server();
    server.seat(1, 2);
    const reply = viewOf(server.join(3));
    const views = viewsIn(server.deliveries);
    expect([...views.keys()].toSorted()).toEqual([peerId(1), peerId(2)]);
    expect(views.get(reply.predecessor.id)?.successor).toEqual({
      id: peerId(3),
      link: offerOf(3, 'predecessor').link,
    });
    expect(signalsTo(server.deliveries, reply.predecessor.id)).toEqual([
      offerDelivered(3, 'predecessor'),
    ]);
    expect(signalsTo(server.deliveries, reply.successor.id)).toEqual([
      offerDelivered(3, 'successor'),
    ]);
    expect(server.deliveries).toHaveLength(4);
  });

  test('of a burst, a newcomer answers its neighbour newcomer on the one link chosen', () => {
    const server = new Server();
    server.join(1);
    const burst = new Map([2, 3, 4].map((number) => [peerId(number), server.join(number)]));
    server.pass(WINDOW);
    const ring = server.peers;
    const views = viewsIn(server.deliveries);
    for (const [id, replies] of burst) views.set(id, viewOf(replies));
    for (const [at, id] of ring.entries()) {
      const successor = defined(ring[(at + 1) % ring.length]);
      const link = defined(views.get(id)?.successor.link);
      expect(views.get(successor)?.predecessor.link).toBe(link);
      const told = [id, successor].filter((end) =>
        signalsTo(server.deliveries, end).some((signal) => signal.link === link),
      );
      expect(told).toHaveLength(1);
    }
  });

  test('a leave reaches the neighbours of the one that left, and only them', () => {
    const server = new Server();
    server.seat(1, 2, 3, 4);
    server.pass(30_000);
    const [first, second, third] = server.peers;
    server.leave(defined(second));
    expect([...viewsIn(server.deliveries).keys()]).toEqual([first, third]);
    expect(server.deliveries).toHaveLength(2);
  });

  test('rooms do not hear of each other', () => {
    const server = new Server();
    const garden = roomName('garden');
    server.seat(1, 2);
    expect(viewOf(server.join(3, { room: garden })).successor.id).toBe(peerId(3));
    expect(server.delivered).toEqual([]);
    server.join(4, { room: garden });
    server.pass(WINDOW);
    expect(new Set(server.delivered.map(({ room }) => room))).toEqual(new Set([garden]));
  });
});

describe('signals', () => {
  const signals = [{ type: 'answer' as const, sdp: 'v=0' }];

  test('are passed on between neighbours with the sender put in (L10d)', () => {
    const server = new Server();
    server.seat(1, 2, 3);
    const [first, second] = server.peers;
    const request = { to: defined(second), edge: 'successor' as const, link: linkId(7), signals };
    expect(server.signal(defined(first), request)).toEqual({ ok: true });
    expect(signalsTo(server.deliveries, defined(second))).toEqual([
      { from: first, edge: 'predecessor', link: 7, signals },
    ]);
    expect(server.deliveries).toHaveLength(1);
  });

  test.each([
    ['between peers that are no neighbours', 1, 3, 'not-a-neighbour'],
    ['to a stranger', 1, 9, 'not-a-neighbour'],
    ['from a stranger', 9, 1, 'not-joined'],
    ['to oneself', 1, 1, 'not-a-neighbour'],
  ])('are refused %s', (_, from, to, code) => {
    const server = new Server();
    for (const number of [1, 2, 3, 4]) server.join(number, { room: LOBBY });
    server.pass(WINDOW);
    server.delivered.length = 0;
    const ring = server.peers;
    const nameOf = (place: number): PeerId => ring[place - 1] ?? peerId(99);
    for (const edge of ['successor', 'predecessor'] as const)
      expect(
        server.signal(nameOf(from), {
          to: nameOf(to),
          edge,
          link: linkId(7),
          signals,
        }),
      ).toMatchObject({ ok: false, code });
    expect(server.delivered).toEqual([]);
  });

  test('are refused in a room that is not there, and to a newcomer without a place', () => {
    const server = new Server();
    server.join(1);
    server.join(2);
    const request = { to: peerId(2), edge: 'successor' as const, link: linkId(7), signals };
    expect(server.signal(peerId(1), request).ok).toBe(false);
    expect(server.signal(peerId(9), request)).toMatchObject({ code: 'not-joined' });
    server.pass(WINDOW);
    expect(server.signal(peerId(1), request).ok).toBe(true);
  });
});

describe('who is let in', () => {
  test('the id of a member is refused to a peer that lacks its secret', () => {
    const server = new Server();
    server.seat(1, 2);
    expect(codeOf(server.join(1, { secret: 'a guess of sixteen' }))).toBe('id-taken');
    expect(server.size.peers).toBe(2);
  });

  test('so is the id of one still waiting for its place', () => {
    const server = new Server();
    server.join(1);
    server.join(2);
    expect(codeOf(server.join(2, { secret: 'a guess of sixteen' }))).toBe('id-taken');
  });

  test('the id of one that has left is refused, even with its secret', () => {
    const server = new Server();
    server.seat(1, 2);
    server.leave(peerId(2));
    expect(codeOf(server.join(2))).toBe('id-taken');
  });

  test('the same id is welcome in another room', () => {
    const server = new Server();
    server.seat(1, 2);
    expect(viewOf(server.join(1, { room: roomName('garden') })).version).toBe(1);
  });

  test('a live id is refused to a newcomer', () => {
    const server = new Server();
    server.seat(1, 2);
    expect(codeOf(server.join(2, { secret: 'a guess at the secret' }))).toBe('id-taken');
    expect(server.peers).toContain(peerId(2));
  });

  test('a peer that joins again, its reply lost, is refused too, and its earlier self taken out (L9e)', () => {
    const server = new Server();
    server.seat(1, 2);
    expect(codeOf(server.join(2))).toBe('id-taken');
    expect(server.peers).toEqual([peerId(1)]);
  });

  test('a member resumes its place with its secret, and nobody else is told (L9c)', () => {
    const server = new Server();
    server.seat(1, 2, 3, 4);
    const ring = server.peers;
    const place = ring.indexOf(peerId(2));
    const view = viewOf([server.resume(2)]);
    expect(server.peers).toEqual(ring);
    expect(view).toEqual({
      incarnation: view.incarnation,
      era: null,
      version: 4,
      size: 4,
      successor: { id: ring[(place + 1) % 4], link: null },
      predecessor: { id: ring.at(place - 1), link: null },
      removed: [],
      ticket: view.ticket,
    });
    expect(PLAIN_TICKETS.open(view.ticket)).toEqual({
      facts: NO_FACTS,
      room: LOBBY,
      id: peerId(2),
      policy: 'highest',
      incarnation: view.incarnation,
      era: 0,
      version: 4,
      successor: view.successor.id,
      predecessor: view.predecessor.id,
    });
    expect(server.delivered).toEqual([]);
  });

  test('a resumed view names all who have gone: what was sent last may have been lost', () => {
    const server = new Server();
    server.seat(1, 2, 3);
    server.leave(peerId(3));
    expect(viewOf([server.resume(2)]).removed).toEqual([peerId(3)]);
    expect(viewOf([server.resume(2)]).removed).toEqual([peerId(3)]);
  });

  test('a place is not resumed with another secret, nor once it is lost (L9d)', () => {
    const server = new Server();
    server.seat(1, 2);
    expect(codeOf([server.resume(2, 'a guess at the secret')])).toBe('place-lost');
    server.leave(peerId(2));
    expect(codeOf([server.resume(2)])).toBe('place-lost');
  });

  test('a full room takes no one more, counting those who wait, until one leaves', () => {
    const server = new Server({ peersPerRoom: 2 });
    server.join(1);
    server.join(2);
    expect(codeOf(server.join(3))).toBe('room-full');
    server.pass(WINDOW);
    expect(codeOf(server.join(3))).toBe('room-full');
    server.leave(peerId(1));
    server.pass(WINDOW);
    expect(viewOf(server.join(3)).successor.id).toBe(peerId(2));
  });

  test('no more rooms are opened than are allowed, and an empty one makes room', () => {
    const server = new Server({ rooms: 1 });
    server.seat(1);
    expect(codeOf(server.join(2, { room: roomName('garden') }))).toBe('room-full');
    server.leave(peerId(1));
    expect(server.size).toEqual({ rooms: 0, peers: 0 });
    expect(viewOf(server.join(2, { room: roomName('garden') })).version).toBe(1);
  });

  test('a room that was empty counts from 1 in another incarnation, so that no old view outranks its own', () => {
    const server = new Server();
    const first = viewOf(server.join(1));
    server.pass(WINDOW);
    server.join(2);
    for (const number of [1, 2]) server.leave(peerId(number));
    const again = viewOf(server.join(1));
    expect(again.version).toBe(1);
    expect(again.incarnation).not.toBe(first.incarnation);
  });

  test('when all who wait have left, nothing is left to happen', () => {
    const server = new Server();
    server.join(1);
    const waiting = server.join(2);
    server.leave(peerId(2));
    server.leave(peerId(1));
    server.pass(10 * WINDOW);
    expect(waiting).toEqual([expect.objectContaining({ code: 'place-lost' })]);
    expect(server.delivered).toEqual([]);
    expect(server.size).toEqual({ rooms: 0, peers: 0 });
  });
});
