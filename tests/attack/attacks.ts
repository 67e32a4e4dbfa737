/** The attacks on a server, which must go on serving: each repeats its attempt. */
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Socket } from 'node:net';
import { SIGNALING_VERSION, type RefusalCode } from '../../shared/protocol/signaling.ts';
import { ended, frame, gets, open, openRaw, Stranger, type Way } from './strangers.ts';

/** The rooms of the honest ring, and of many members that do nothing. */
export const RING_ROOM = 'ring';
export const CROWD_ROOM = 'crowd';

/** The room to which honest peers come when strangers are there. */
export const LATE_ROOM = 'late';

/** What a process of attackers prints for each attempt, and for each that has its effect. */
export const STRIKE = '.';
export const EFFECT = '!';

/**
 * Makes one attempt; called again and again.
 * @param onEffect to be called when the server does what the attack aims at: an attack that the server
 * rejects at once shows nothing
 */
type Blow = (way: Way, onEffect: () => void) => Promise<void>;

interface Attack {
  /** How many attackers there are at a time. */
  readonly strangers: number;
  readonly blow: Blow;
  /** Whether all of them come from one address; else each has its own. */
  readonly isFromOne?: true;
  /**
   * Of attackers who become members of the honest ring: its views change all the time, and a leader that
   * they get rid of is replaced. Its peers must follow one leader nearly all the time.
   */
  readonly isInRing?: true;
  /** Whether they are in a room of their own before twelve honest peers come there. */
  readonly isFirst?: true;
}

/** How long a member must have been one to be believed that another misbehaves, and a bit, in milliseconds. */
const STANDING = 10_200;

/** How long a ghost waits to be turned out, in milliseconds. */
const GHOST_LIFE = 600_000;

function offer(link: number): object {
  return { link, signals: [{ type: 'offer', sdp: 'v=0' }] };
}

export function joinRequest(room: string, id: string = randomUUID()): object {
  const offers = { successor: offer(1), predecessor: offer(2) };
  return { version: SIGNALING_VERSION, room, id, secret: randomUUID(), policy: 'highest', offers };
}

/** Resumes a place that no peer had, with a ticket that the server has not signed. */
function resumeRequest(room: string): object {
  const id = randomUUID();
  const place = { incarnation: 'made up', era: Date.now(), version: 1, successor: id };
  const ticket = `ticket ${JSON.stringify({ room, id, policy: 'highest', ...place })}.made up`;
  return { version: SIGNALING_VERSION, room, id, secret: randomUUID(), ticket, removed: [] };
}

export const isOk = (reply: string) => reply.includes('"ok":true');
const isRefused = (reply: string, code: RefusalCode) => reply.includes(`"code":"${code}"`);

/** Calls back if the first answer is the expected one. */
function whenServed(socket: Socket, onEffect: () => void): void {
  socket.once('data', (data: Buffer) => {
    if (data.toString('latin1').startsWith('HTTP/1.1 200 ')) onEffect();
  });
}

/** Loads of the page that are cut off as soon as they begin. */
async function cutOff(way: Way, onEffect: () => void): Promise<void> {
  const socket = open(way);
  socket.write(gets('/', 1));
  whenServed(socket, onEffect);
  socket.once('data', () => socket.destroy());
  await ended(socket, 5_000);
}

/** As many requests as one read of the server contains. */
async function pipelined(way: Way, onEffect: () => void): Promise<void> {
  const socket = open(way).resume();
  whenServed(socket, onEffect);
  socket.write(gets('/', 1_700));
  await ended(socket, 5_000);
}

/** As many requests as are accepted, on a connection that is kept and of which only the beginning is read. */
async function unreadPages(way: Way, onEffect: () => void): Promise<void> {
  const socket = open(way);
  whenServed(socket, onEffect);
  socket.once('data', () => socket.pause());
  socket.write(gets('/', 4));
  await ended(socket, 20_000);
}

/** As many at a time as a connection may have, and another for each piece of an answer. */
async function scrapes(way: Way, onEffect: () => void): Promise<void> {
  const socket = open(way);
  whenServed(socket, onEffect);
  socket.on('data', () => socket.write(gets('/metrics', 1)));
  socket.write(gets('/metrics', 4));
  await ended(socket, 5_000);
}

/**
 * A member that reads nothing is sent messages without end; it has first tried to move its session to a
 * second WebSocket, which it does not read either.
 */
async function deafMember(way: Way, onEffect: () => void): Promise<void> {
  const [sender, deaf] = [new Stranger(way), new Stranger(way)];
  await Promise.all([sender.connected(), deaf.connected()]);
  const room = randomUUID();
  const [from, to] = [randomUUID(), randomUUID()];
  await sender.ask('join', joinRequest(room, from));
  await deaf.ask('join', joinRequest(room, to));
  const second = new Stranger(way, `&sid=${deaf.sid}`);
  second.socket.once('open', () => {
    second.send('2probe');
    second.send('5');
    second.socket.pause();
  });
  await pause(200);
  deaf.socket.pause();
  const signals = Array.from({ length: 3 }, () => ({ type: 'answer', sdp: 'x'.repeat(16_000) }));
  let isTaken = true;
  for (let time = 0; time < 500 && isTaken; time += 1) {
    const reply = await sender.ask('signal', { to, edge: 'successor', link: 7, signals });
    isTaken = isOk(reply);
    if (isTaken) onEffect();
    second.send('3');
    deaf.send('3');
  }
  for (const each of [sender, deaf, second]) each.socket.terminate();
}

/** A message that never ends, in fragments of one byte. */
async function fragments(way: Way, onEffect: () => void): Promise<void> {
  const socket = await openRaw(way, onEffect);
  socket.write(frame(1, false, '4'));
  socket.write(Buffer.concat(Array.from({ length: 16_000 }, () => frame(0, false, 'x'))));
  await ended(socket, 10_000);
}

/** Resumes places that no peer had in a room of hundreds. */
async function resumes(way: Way, onEffect: () => void): Promise<void> {
  const stranger = new Stranger(way);
  await stranger.connected();
  if (isRefused(await stranger.ask('resume', resumeRequest(CROWD_ROOM)), 'place-lost')) onEffect();
  for (let time = 1; time < 100; time += 1) stranger.emit('resume', resumeRequest(CROWD_ROOM));
  await stranger.ended(1_000);
}

/** A spectator that comes and leaves. */
async function spectators(way: Way, onEffect: () => void): Promise<void> {
  for (const room of [CROWD_ROOM, RING_ROOM]) {
    const stranger = new Stranger(way);
    await stranger.connected();
    const reply = await stranger.ask('watch', { version: SIGNALING_VERSION, room });
    if (isOk(reply)) onEffect();
    stranger.socket.terminate();
  }
}

/** Errors that fill a log. */
async function faults(way: Way, onEffect: () => void): Promise<void> {
  const stranger = new Stranger(way);
  await stranger.connected();
  if (isRefused(await stranger.ask('join', null), 'malformed')) onEffect();
  for (let time = 0; time < 50; time += 1) stranger.emit('join', null);
  await stranger.ended(1_000);
  const handshake = open(way).resume();
  handshake.write(gets('/socket.io/', 100));
  await ended(handshake, 1_000);
}

/** Connections without end, each of which stays and does nothing but answer. */
async function connections(way: Way, onEffect: () => void): Promise<void> {
  const stranger = new Stranger(way);
  await stranger.connected();
  if (stranger.sid !== '') onEffect();
}

/** The neighbours in the last view that a stranger was told. */
function neighboursIn(reply: string): readonly string[] {
  return [...reply.matchAll(/"(?:successor|predecessor)":\{"id":"([^"]+)"/g)].flatMap(
    ([, id]) => id ?? [],
  );
}

/** Members that have been there long enough to be believed say that their neighbours misbehave. */
async function accusations(way: Way, onEffect: () => void): Promise<void> {
  const stranger = new Stranger(way);
  await stranger.connected();
  await stranger.ask('join', joinRequest(RING_ROOM));
  await pause(STANDING);
  for (const about of neighboursIn(stranger.lastView)) {
    const reply = await stranger.ask('complain', { about, fault: 'misbehaves' });
    if (reply.includes('"isMember"')) onEffect();
  }
  await stranger.ask('leave');
  stranger.socket.terminate();
}

/** Members that answer the server and make no links, until they are turned out. */
function ghostsIn(room: string): Blow {
  return async (way, onEffect) => {
    const stranger = new Stranger(way);
    await stranger.connected();
    if (isOk(await stranger.ask('join', joinRequest(room)))) onEffect();
    await stranger.ended(GHOST_LIFE);
  };
}

/** Members that offer links which never come up, and make way for the next: a page can make so many. */
async function offers(way: Way, onEffect: () => void): Promise<void> {
  const stranger = new Stranger(way);
  await stranger.connected();
  const reply = await stranger.ask('join', joinRequest(RING_ROOM));
  if (isOk(reply)) onEffect();
  const [successor, predecessor] = neighboursIn(reply);
  for (let link = 10; link < 28; link += 1)
    for (const [edge, to] of [
      ['successor', successor],
      ['predecessor', predecessor],
    ])
      stranger.emit('signal', { to, edge, ...offer(link + (edge === 'successor' ? 100 : 0)) });
  await stranger.ask('leave');
  stranger.socket.terminate();
}

/** Rooms without end: each has a member, whose place is kept for a while without its connection. */
async function rooms(way: Way, onEffect: () => void): Promise<void> {
  const stranger = new Stranger(way);
  await stranger.connected();
  if (isOk(await stranger.ask('join', joinRequest(randomUUID())))) onEffect();
  stranger.socket.terminate();
}

/** Spectators that stay, in the ring's room and in others. */
async function audience(way: Way, onEffect: () => void): Promise<void> {
  for (const room of [RING_ROOM, CROWD_ROOM, randomUUID()]) {
    const stranger = new Stranger(way);
    await stranger.connected();
    const reply = await stranger.ask('watch', { version: SIGNALING_VERSION, room });
    if (isOk(reply)) onEffect();
    else stranger.socket.terminate();
  }
}

export const ATTACKS: Readonly<Record<string, Attack>> = {
  'cut-off': { strangers: 8, blow: cutOff },
  pipelined: { strangers: 1, blow: pipelined },
  'unread-pages': { strangers: 200, blow: unreadPages },
  scrapes: { strangers: 20, blow: scrapes },
  'deaf-member': { strangers: 8, blow: deafMember },
  fragments: { strangers: 50, blow: fragments },
  resumes: { strangers: 4, blow: resumes },
  spectators: { strangers: 4, blow: spectators },
  faults: { strangers: 4, blow: faults },
  connections: { strangers: 50, blow: connections, isFromOne: true },
  rooms: { strangers: 20, blow: rooms, isFromOne: true },
  audience: { strangers: 8, blow: audience, isFromOne: true },
  accusations: { strangers: 6, blow: accusations, isFromOne: true, isInRing: true },
  ghosts: { strangers: 3, blow: ghostsIn(RING_ROOM), isFromOne: true, isInRing: true },
  'ghosts-first': { strangers: 12, blow: ghostsIn(LATE_ROOM), isFromOne: true, isFirst: true },
  offers: { strangers: 4, blow: offers, isFromOne: true, isInRing: true },
};
