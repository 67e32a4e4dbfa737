/** Rooms with a secret or a host, as the broker keeps them. */
import { describe, expect, test } from 'vitest';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { Facts, GovernRequest } from '../../shared/protocol/signaling.ts';
import { SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import { NO_FACTS } from '../../shared/broker/facts.ts';
import { PLAIN_TICKETS } from '../../shared/simulation/plain-tickets.ts';
import { defined, peerId, roomName } from '../support.ts';
import { codeOf, LOBBY, Server, viewOf } from './test-broker.ts';

const HOST = 'the digest of the host key';
const MINUTE = 61_000;
const DAY = 86_400_000;
const HALF_AN_HOUR = 1_800_000;

function govern(
  server: Server,
  order: GovernRequest['order'],
  part: Partial<GovernRequest> = {},
): string {
  const defaults = { room: LOBBY, host: HOST, key: null, order };
  const request: GovernRequest = { version: SIGNALING_VERSION, ...defaults, ...part };
  const reply = server.govern(request);
  if (!reply.ok) return reply.code;
  return 'isLocked' in reply && reply.isLocked ? 'locked' : 'open';
}

/** A room of three that was opened by its host. */
function hosted(): Server {
  const server = new Server();
  expect(govern(server, { do: 'claim' })).toBe('open');
  server.seat(1, 2, 3);
  for (const number of [1, 2, 3]) server.settle(number);
  return server;
}

/** What is so in the room by the last ticket that a member was given. */
function factsOf(server: Server, id: PeerId): Facts {
  const views = server.deliveries.flatMap((each) =>
    each.type === 'view' && each.to === id && 'ticket' in each.view
      ? [String(each.view.ticket)]
      : [],
  );
  return defined(PLAIN_TICKETS.open(defined(views.at(-1)))).facts;
}

describe('a room that was opened with a secret', () => {
  test('lets in those who know it, and no others (L19a)', () => {
    const server = new Server();
    viewOf(server.join(1, { key: 'a digest' }));
    server.pass(1_000);
    expect(codeOf(server.join(2))).toBe('room-secret');
    expect(codeOf(server.join(3, { key: 'another digest' }))).toBe('room-secret');
    server.join(4, { key: 'a digest' });
    server.pass(1_000);
    expect(server.peers).toHaveLength(2);
  });

  test('is not one that was opened without (L19a)', () => {
    const server = new Server();
    server.seat(1);
    expect(codeOf(server.join(2, { key: 'a digest' }))).toBe('room-secret');
  });
});

describe('the host of a room', () => {
  test('is the first that claims it while nobody is there (L19b)', () => {
    const server = hosted();
    expect(govern(server, { do: 'claim' })).toBe('open');
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('not-host');
    expect(govern(server, { do: 'lock' }, { host: 'another' })).toBe('not-host');
  });

  test('is nobody where somebody was there before (L19b)', () => {
    const server = new Server();
    server.seat(1);
    expect(govern(server, { do: 'claim' })).toBe('not-host');
    expect(govern(server, { do: 'turn out', id: peerId(1) })).toBe('not-host');
    expect(server.peers).toHaveLength(1);
  });

  test('locks it: newcomers are refused, members come back (L19c)', () => {
    const server = hosted();
    expect(govern(server, { do: 'lock' })).toBe('locked');
    expect(codeOf(server.join(4))).toBe('locked');
    server.lose(peerId(2));
    viewOf([server.resume(2)]);
    expect(govern(server, { do: 'unlock' })).toBe('open');
    server.join(5);
    server.pass(1_000);
    expect(server.peers).toHaveLength(4);
  });

  test('turns a peer out, which does not come back (L19d)', () => {
    const server = hosted();
    govern(server, { do: 'turn out', id: peerId(2) });
    expect(server.disconnected).toEqual([peerId(2)]);
    expect(server.notes).toEqual([{ type: 'evicted', id: peerId(2), reason: 'turned out' }]);
    expect(server.peers).toHaveLength(2);
    expect(codeOf([server.resume(2)])).toBe('turned-out');
  });

  test('turns out what its client was let in by (L19d)', () => {
    const server = new Server();
    govern(server, { do: 'claim' });
    server.grants.set(peerId(1), 'a token');
    server.grants.set(peerId(2), 'a token');
    server.grants.set(peerId(3), 'another token');
    server.seat(1);
    govern(server, { do: 'turn out', id: peerId(1) });
    expect(codeOf(server.join(2))).toBe('turned-out');
    server.seat(3);
    expect(server.peers).toEqual([peerId(3)]);
  });

  test('has all members know of it by new tickets (L19e)', () => {
    const server = hosted();
    server.delivered.length = 0;
    govern(server, { do: 'lock' });
    for (const id of server.peers)
      expect(factsOf(server, id)).toMatchObject({ host: HOST, isLocked: true, turnedOut: [] });
  });

  test('is the same where the server has lost its memory, once a member is back (L19e)', () => {
    const server = new Server();
    const facts = { key: null, host: HOST, isLocked: true, revision: 2, turnedOut: [peerId(9)] };
    const place = { incarnation: 'sunday.1', successor: peerId(2), predecessor: peerId(2), facts };
    viewOf([server.resume(1, undefined, { place })]);
    expect(codeOf([server.resume(9, undefined, { place })])).toBe('turned-out');
    expect(codeOf(server.join(4))).toBe('locked');
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('not-host');
    expect(govern(server, { do: 'unlock' })).toBe('open');
  });

  test('keeps out those who bring tickets of an earlier room of the name (L19h)', () => {
    const server = new Server();
    server.pass(MINUTE);
    const earlier = { incarnation: 'sunday.1', facts: NO_FACTS };
    expect(govern(server, { do: 'claim' }, { key: 'a digest' })).toBe('open');
    expect(codeOf([server.resume(8, undefined, { place: earlier })])).toBe('place-lost');
    viewOf(server.join(1, { key: 'a digest' }));
    expect(codeOf([server.resume(9, undefined, { place: earlier })])).toBe('place-lost');
    expect(govern(server, { do: 'lock' })).toBe('locked');
    const facts = { ...NO_FACTS, key: 'a digest', host: HOST };
    const yesterday = { incarnation: 'saturday.1', facts };
    expect(codeOf([server.resume(7, undefined, { place: yesterday })])).toBe('place-lost');
    expect(server.peers).toEqual([peerId(1)]);
  });

  test('has members of the latest room alone where tickets of several come (L19h)', () => {
    const server = new Server();
    const ofAnother = { ...NO_FACTS, host: 'another' };
    const earlier = { incarnation: 'saturday.1', era: 5, facts: ofAnother };
    const facts = { ...NO_FACTS, host: HOST };
    const place = { incarnation: 'sunday.1', era: 7, successor: peerId(2), facts };
    viewOf([server.resume(9, undefined, { place: { ...earlier, successor: peerId(8) } })]);
    viewOf([server.resume(1, undefined, { place })]);
    expect(server.disconnected).toEqual([peerId(9)]);
    expect(codeOf([server.resume(8, undefined, { place: earlier })])).toBe('place-lost');
    expect(govern(server, { do: 'lock' }, { host: 'another' })).toBe('not-host');
    expect(govern(server, { do: 'lock' })).toBe('locked');
  });

  test('has turned out, by the newest ticket, who came with an older one (L19i)', () => {
    const server = new Server();
    const before = { ...NO_FACTS, host: HOST, revision: 5 };
    const place = { incarnation: 'sunday.1', successor: peerId(2), predecessor: peerId(3) };
    viewOf([server.resume(1, undefined, { place: { ...place, facts: before } })]);
    const after = { ...before, revision: 7, isLocked: true, turnedOut: [peerId(1)] };
    viewOf([server.resume(2, undefined, { place: { ...place, facts: after } })]);
    expect(server.disconnected).toEqual([peerId(1)]);
    // One that was away meanwhile does not undo it.
    viewOf([server.resume(3, undefined, { place: { ...place, facts: before } })]);
    server.pass(MINUTE);
    expect(codeOf(server.join(4))).toBe('locked');
    expect(codeOf([server.resume(1, undefined, { place: { ...place, facts: before } })])).toBe(
      'turned-out',
    );
  });

  test('gives way to members of before where the claim came as the server had just begun (L19j)', () => {
    const server = new Server();
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('open');
    const place = { incarnation: 'sunday.1', facts: { ...NO_FACTS, host: HOST } };
    viewOf([server.resume(1, undefined, { place })]);
    expect(govern(server, { do: 'lock' }, { host: 'another' })).toBe('not-host');
    expect(govern(server, { do: 'lock' })).toBe('locked');
  });

  test('keeps it for a day after the last has gone (L19f)', () => {
    const server = hosted();
    server.pass(MINUTE);
    govern(server, { do: 'lock' });
    for (const number of [1, 2, 3]) server.leave(peerId(number));
    expect(server.size.rooms).toBe(0);
    server.clock.skip(DAY - 1_000);
    expect(codeOf(server.join(4))).toBe('locked');
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('not-host');
    server.clock.skip(1_000);
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('open');
  });

  test('keeps a room that nobody has come to for half an hour, and longer by claiming it again (L19f)', () => {
    const server = new Server();
    govern(server, { do: 'claim' });
    server.clock.skip(HALF_AN_HOUR - 1_000);
    expect(govern(server, { do: 'claim' })).toBe('open');
    server.clock.skip(HALF_AN_HOUR - 1_000);
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('not-host');
    server.clock.skip(1_000);
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('open');
  });

  test('keeps a room that was there for a moment for half an hour (L19f)', () => {
    const server = hosted();
    for (const number of [1, 2, 3]) server.leave(peerId(number));
    server.clock.skip(HALF_AN_HOUR - 10_000);
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('not-host');
    server.clock.skip(10_000);
    expect(govern(server, { do: 'claim' }, { host: 'another' })).toBe('open');
  });

  test('claims fifty rooms that nobody comes to, of one address, and no more (L19f)', () => {
    const server = new Server({ rooms: 1_000 });
    const claim = (number: number) =>
      govern(server, { do: 'claim' }, { room: roomName(`room-${number}`) });
    for (let number = 0; number < 50; number += 1) expect(claim(number)).toBe('open');
    expect(claim(50)).toBe('try-again');
    expect(claim(7)).toBe('open');
    server.addresses.set(peerId(0xfff), '192.0.2.7');
    expect(claim(50)).toBe('open');
  });

  test('has no more rooms without members than the server takes', () => {
    const server = new Server({ rooms: 1 });
    govern(server, { do: 'claim' });
    server.seat(1);
    expect(server.size.rooms).toBe(1);
    const elsewhere = { room: defined(server.otherRoom) };
    expect(govern(server, { do: 'claim' }, elsewhere)).toBe('room-full');
  });
});
