/** What the page says of each trouble, and when it stops saying it. */
import { expect, onTestFinished, test, vi } from 'vitest';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import type { Reach } from '../../web/reach.ts';
import { DIRECT_LINK_PATIENCE, Troubles } from '../../web/troubles.ts';
import { peerId, roomName } from '../support.ts';

const STATE: RingState = {
  id: peerId(1),
  room: roomName('lobby'),
  role: 'follower',
  era: 1,
  term: 1,
  leader: peerId(3),
  isConfirmed: true,
  confirmedUntil: 2_000_000_000_000,
  hopsFromLeader: 1,
  size: 3,
  successor: peerId(2),
  predecessor: peerId(3),
  successorLink: 'direct',
  predecessorLink: 'direct',
  server: 'connected',
  ring: null,
  hopDelay: 0,
};

/** The addresses of the page, and when things happen. */
const PAGE = { host: 'ring.test', origin: 'https://ring.test' };
const AT = new Date(2026, 0, 2, 3, 4, 5).getTime();

const kinds = (troubles: Troubles, state: Partial<RingState> = {}) =>
  troubles.of({ ...STATE, ...state }).map(({ kind }) => kind);

function after(...events: readonly RingEvent[]): Troubles {
  const troubles = new Troubles(true, PAGE);
  for (const event of events) troubles.note(event, AT);
  return troubles;
}

const LOST: RingEvent = { type: 'server', state: 'reconnecting', reason: 'lost' };
const FOUND: RingEvent = { type: 'server', state: 'connected', reason: '' };

test('nothing is wrong where nothing is', () => {
  expect(after(FOUND).of(STATE)).toEqual([]);
});

test('a lost server is told with what its links are, until it is back or the tab has left', () => {
  const [notice] = after(LOST).of(STATE);
  expect(notice).toMatchObject({
    tone: 'warn',
    what: 'This page cannot reach its signaling server, since 03:04:05.',
  });
  expect(notice?.advice).toContain('The links to both neighbours are direct and open');
  const [relayed] = after(LOST).of({ ...STATE, successorLink: 'relayed' });
  expect(relayed?.advice).toContain('Only the link to the predecessor is direct and open');
  expect(relayed?.advice).toContain('A relayed link waits for the server');
  expect(kinds(after(LOST, FOUND))).toEqual([]);
  expect(kinds(after(LOST, { type: 'left' }))).toEqual([]);
  expect(kinds(after(LOST, { type: 'vanished' }))).toEqual([]);
});

test('a server that was never reached leaves no ring to go on', () => {
  const [notice] = after(LOST).of({ ...STATE, successor: null, predecessor: null, leader: null });
  expect(notice).toMatchObject({ tone: 'bad' });
  expect(notice?.advice).not.toContain('goes on');
});

/** It has been so for as long as a direct link may take. */
function seeForLong(troubles: Troubles, state: RingState): void {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  troubles.see(state);
  vi.advanceTimersByTime(DIRECT_LINK_PATIENCE);
}

test('relayed neighbours are told together, and one that has become direct once', () => {
  const troubles = after(FOUND);
  const both = { ...STATE, successorLink: 'relayed', predecessorLink: 'relayed' } as const;
  seeForLong(troubles, both);
  const [notice, ...others] = troubles.of(both);
  expect(others).toEqual([]);
  expect(notice?.what).toMatch(/successor .* and the predecessor .*: relayed/);
  // In between there is a moment with neither.
  troubles.see({ ...both, successorLink: 'connecting' });
  const mended = { ...both, successorLink: 'direct' } as const;
  troubles.see(mended);
  const [, switched] = troubles.of(mended);
  expect(switched?.what).toMatch(/^The link to the successor .* is direct now/);
  if (switched !== undefined) troubles.dismiss(switched);
  expect(kinds(troubles, mended)).toEqual(['relayed']);
});

test('a relayed link that is so as the page may make no direct one is not blamed on the network', () => {
  const relayed = { ...STATE, successorLink: 'relayed' } as const;
  const troubles = after(FOUND, { type: 'spent' });
  seeForLong(troubles, relayed);
  const [notice] = troubles.of(relayed);
  expect(notice?.advice).not.toMatch(/network|Wi-Fi|VPN|browser/i);
  expect(notice?.advice).toContain('reload');
  expect(notice?.isReloadOffered).toBe(true);
  const link = { edge: 'successor', kind: 'direct', peer: peerId(2), reason: '' } as const;
  troubles.note({ type: 'link', state: 'connecting', ...link }, AT);
  expect(troubles.of(relayed)[0]?.advice).toMatch(/Wi-Fi/);
  expect(troubles.of(relayed)[0]?.isReloadOffered).toBe(false);
});

test('a relayed link is told with the setting of the browser that keeps devices apart, while it is so', () => {
  const relayed = { ...STATE, successorLink: 'relayed' } as const;
  const troubles = after(FOUND);
  troubles.keptApart(true);
  seeForLong(troubles, relayed);
  expect(troubles.of(relayed)[0]?.advice).toMatch(/allow “local network” for this site/);
  troubles.keptApart(false);
  expect(troubles.of(relayed)[0]?.advice).toMatch(/Wi-Fi/);
  expect(kinds(troubles)).toEqual([]);
});

test('a link that is relayed for a moment, until a direct one is up, is not told of', () => {
  const troubles = after(FOUND);
  const relayed = { ...STATE, successorLink: 'relayed' } as const;
  troubles.see(relayed);
  expect(kinds(troubles, relayed)).toEqual([]);
  troubles.see(STATE);
  expect(kinds(troubles)).toEqual([]);
});

test('a direct link to another neighbour is no link that was mended', () => {
  const troubles = after(FOUND);
  seeForLong(troubles, { ...STATE, successorLink: 'relayed' });
  troubles.see({ ...STATE, successor: peerId(9) });
  expect(kinds(troubles, { successor: peerId(9) })).toEqual([]);
});

test.each([
  ['place-lost', 'lost its place'],
  ['id-taken', 'was taken'],
] as const)('who is a new peer since its old one was refused as %s is told so', (code, text) => {
  const troubles = after({ type: 'refused', code, message: 'no' }, FOUND);
  const [notice] = troubles.of(STATE);
  expect(notice?.what).toContain(text);
  if (notice !== undefined) troubles.dismiss(notice);
  expect(troubles.of(STATE)).toEqual([]);
});

test('a peer that the server puts off says why and what it does, until the server takes it', () => {
  const message = 'too many at once';
  const off: RingEvent[] = [
    { type: 'refused', code: 'try-again', message },
    { type: 'server', state: 'reconnecting', reason: message },
  ];
  const newcomer = { ...STATE, role: 'joining', successor: null } as const;
  const [notice, ...others] = after(...off).of(newcomer);
  expect(others).toEqual([]);
  expect(notice?.what).toMatch(/^The server puts this tab off, since .*: too many at once\.$/);
  expect(notice).toMatchObject({ tone: 'bad', advice: 'This page asks again by itself.' });
  const [member] = after(...off).of(STATE);
  expect(member).toMatchObject({ tone: 'warn' });
  expect(kinds(after(...off, FOUND))).toEqual([]);
  // Then the connection itself is lost.
  expect(after(...off, LOST).of(STATE)[0]?.what).toMatch(/^This page cannot reach/);
});

test('a full room is told with what the server said, until the tab has joined', () => {
  const full: RingEvent = { type: 'refused', code: 'room-full', message: 'room lobby is full' };
  const [notice] = after(full).of({ ...STATE, role: 'offline' });
  expect(notice?.what).toBe('The server refused: room lobby is full.');
  expect(notice?.advice).toContain('Rejoin ring');
  expect(kinds(after(full, { type: 'joined', id: STATE.id, room: STATE.room }))).toEqual([]);
});

test('a browser without WebRTC is told from one whose connections fail, and both from other faults', () => {
  const failed: RingEvent = { type: 'error', message: 'no connection can be made: none' };
  const without = new Troubles(false, PAGE);
  without.note(failed, AT);
  const gone = { ...STATE, role: 'offline' } as const;
  expect(without.of(gone)[0]?.what).toBe('This browser has no WebRTC.');
  expect(after(failed).of(gone)[0]?.what).toBe('This browser cannot make a WebRTC connection.');
  const odd: RingEvent = { type: 'error', message: 'the server sent an invalid message: x' };
  expect(after(odd).of(STATE)[0]).toMatchObject({ kind: 'fault' });
});

test('sleep is told with what became of the place, and then not the new peer as well', () => {
  const troubles = after(FOUND);
  troubles.slept({ by: 'clock', milliseconds: 3_600_000 }, STATE);
  expect(troubles.of(STATE)[0]?.what).toBe(
    'The clock of this device jumped ahead by 1 h 0 min: the device was asleep, or its clock was set.',
  );
  troubles.slept({ by: 'page', milliseconds: 35_200 }, STATE);
  expect(troubles.of(STATE)[0]?.what).toBe('This page did not run for 35 s.');
  expect(troubles.of(STATE)[0]?.advice).toContain('is finding out');
  const message = {
    type: 'elected',
    term: 1,
    decision: { leader: { priority: 1, id: peerId(3) }, size: 3, lap: 9, hops: 1 },
  } as const;
  troubles.note(
    {
      type: 'received',
      message,
      from: peerId(3),
      judgement: { outcome: 'forwarded', reason: 'announcement', compared: null },
    },
    AT,
  );
  expect(troubles.of(STATE)[0]?.advice).toContain('It has kept its place');
  troubles.note({ type: 'refused', code: 'place-lost', message: 'gone' }, AT);
  const anew = { ...STATE, id: peerId(8) };
  const [notice, ...others] = troubles.of(anew);
  expect(others).toEqual([]);
  expect(notice?.advice).toContain('came back as a new peer');
  if (notice !== undefined) troubles.dismiss(notice);
});

test('a page never says that the ring goes on, of which without a server it sees two links at most', () => {
  const links = ['none', 'connecting', 'direct', 'relayed'] as const;
  for (const successorLink of links)
    for (const predecessorLink of links) {
      const [notice] = after(LOST).of({ ...STATE, successorLink, predecessorLink });
      expect(notice?.advice).not.toContain('goes on');
      const isOpen = successorLink === 'direct' && predecessorLink === 'direct';
      expect(notice?.advice.includes('messages go on from peer to peer')).toBe(isOpen);
      const isCutOff = successorLink !== 'direct' && predecessorLink !== 'direct';
      expect(notice?.advice.includes('no message comes or goes')).toBe(isCutOff);
    }
  const [alone] = after(LOST).of({ ...STATE, successor: STATE.id, predecessor: STATE.id });
  expect(alone?.advice).toContain('alone in its ring');
});

const ANSWER = { type: 'answer', arrival: null, diversion: null } as const;

test.each<[Reach, string]>([
  [{ type: 'silence' }, 'Nothing answers at ring.test over HTTP, either'],
  [{ type: 'stranger', status: 502 }, 'answers over HTTP, with status 502, but not as this server'],
  [ANSWER, 'The server answers over HTTP. This page keeps trying.'],
  [
    { ...ANSWER, type: 'no-websocket', ended: 'failed' },
    'answers over HTTP, but no WebSocket to it can be opened',
  ],
  [
    { type: 'wrong-origin', host: '10.0.0.1:3000' },
    'the Host header of the request was 10.0.0.1:3000',
  ],
  [{ type: 'wrong-host', host: '10.0.0.1:3000' }, 'or correct PUBLIC_URL'],
])('of a server that is lost it is told what was found out: %o', (reach, text) => {
  const troubles = after(LOST);
  const before = troubles.of(STATE)[0]?.advice;
  troubles.reached(reach);
  expect(troubles.of(STATE)[0]?.advice).toContain(text);
  troubles.reached(null);
  expect(troubles.of(STATE)[0]?.advice).toBe(before);
});

test('a server of another version is told to a member with what it keeps, to a newcomer as a refusal', () => {
  const refused: RingEvent = { type: 'refused', code: 'version', message: 'different versions' };
  const offline: RingEvent = { type: 'server', state: 'offline', reason: '' };
  const [member, ...others] = after(LOST, FOUND, refused, offline).of({
    ...STATE,
    server: 'offline',
  });
  expect(others).toEqual([]);
  expect(member).toMatchObject({ kind: 'refused', tone: 'warn', isReloadOffered: true });
  expect(member?.what).toBe('The server and this page have different versions.');
  const [newcomer] = after(FOUND, refused).of({ ...STATE, role: 'offline', server: 'offline' });
  expect(newcomer).toMatchObject({ tone: 'bad', isReloadOffered: true });
  expect(newcomer?.what).toBe('The server refused: different versions.');
});

test('where the server relays nothing, neighbours without a direct link are told of as long as it is so', () => {
  const refused: RingEvent = { type: 'refused', code: 'no-relay', message: 'no messages' };
  const apart = { ...STATE, successorLink: 'connecting' } as const;
  const troubles = after(refused);
  seeForLong(troubles, apart);
  const [notice] = troubles.of(apart);
  expect(notice).toMatchObject({ kind: 'no relay', tone: 'bad' });
  expect(notice?.what).toMatch(/^No connection to the successor /);
  expect(notice?.advice).toContain('this server passes on no messages between peers');
  expect(kinds(troubles)).toEqual([]);
  // Another connection may be to a server that does.
  troubles.note(FOUND, AT);
  expect(troubles.of(apart)).toEqual([]);
});
