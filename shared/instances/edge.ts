/** What an instance does for the clients that are connected to it, wherever their rooms are. */
import { ALREADY_JOINED } from '../broker/broker.ts';
import type { SessionId } from '../broker/state.ts';
import { NOT_JOINED, refusal } from '../broker/turn.ts';
import type { RoomName } from '../protocol/ids.ts';
import type { Answer, Question } from './directory.ts';
import { isReader, type Ask, type Asked, type Envelope } from './envelope.ts';
import { closeClient, count, linkTo, post, sendEnd } from './links.ts';
import { feed, forget, serve } from './owner.ts';
import {
  idOf,
  type Binding,
  type Input,
  type Instance,
  type LocalAsk,
  type UpLink,
  type Waiting,
  type Turn,
} from './state.ts';
import { cut, putOff, question, tellHere } from './tell.ts';

type AskInput = Extract<Input, { readonly type: 'ask' }>;
type Claim = Extract<Question, { readonly type: 'claim' }>;

/** How long what is asked waits for an owner that can be reached, in milliseconds. */
const OWNER_PATIENCE = 1_000;

const ALREADY_WATCHES = refusal('already-joined', 'this connection watches a room already');

/** A client has connected. */
export function open(turn: Turn, session: SessionId, address: string): void {
  turn.state.clients.set(session, { address, binding: null, asks: new Map() });
  feed(turn, { type: 'opened', session, address });
}

/** The connection of a client has ended. */
export function close(turn: Turn, session: SessionId): void {
  const { state } = turn;
  state.clients.delete(session);
  for (const link of state.up.values()) closeClient(turn, link, session);
  forget(turn, session);
}

/** Takes what a client asks. */
export function hearClient(turn: Turn, { session, number, ask: local, grant }: AskInput): void {
  const client = turn.state.clients.get(session);
  if (client === undefined) return;
  const { address } = client;
  const room = roomOf(local) ?? client.binding?.room ?? null;
  client.asks.set(number, { type: local.type, room, at: turn.moment.now });
  const binding = bindingBy(local, number);
  if (binding !== null && client.binding !== null) {
    const reply = client.binding.type === 'member' ? ALREADY_JOINED : ALREADY_WATCHES;
    tellHere(turn, { type: 'reply', session, number, reply });
    return;
  }
  client.binding ??= binding;
  if (room === null) {
    const reply = local.type === 'leave' ? { ok: true as const } : NOT_JOINED;
    tellHere(turn, { type: 'reply', session, number, reply });
    return;
  }
  const ask = askOf(local);
  route(turn, { type: 'ask', session, number, room, address, grant, ask, isReturned: false });
}

/** A spectator has taken what it was sent. */
export function hearTaken(turn: Turn, session: SessionId, number: number): void {
  const { state, outputs } = turn;
  const room = state.clients.get(session)?.binding?.room;
  if (room === undefined) return;
  const link = state.up.get(state.elsewhere.get(room) ?? '');
  if (state.owned.has(room)) outputs.push({ type: 'host taken', session, number });
  else if (link !== undefined) post(turn, link, { type: 'taken', session, number });
}

/** Whose the room is for which some wait. */
export function hearClaim(turn: Turn, { room }: Claim, answer: Answer | null): void {
  const { state, moment } = turn;
  const asks = state.waiting.get(room)?.asks ?? [];
  state.waiting.delete(room);
  if (answer?.type === 'granted') {
    state.owned.set(room, { isWatched: false, spectators: 0, keptAt: moment.now });
    feed(turn, { type: 'granted', room, era: answer.era, isLost: answer.isLost });
  } else if (answer?.type === 'held' && isReader(answer.by)) state.elsewhere.set(room, answer.by);
  else {
    for (const asked of asks) putOff(turn, asked);
    return;
  }
  for (const asked of asks) route(turn, asked);
}

/** Asks the directory again whose the rooms are whose owners could not be reached. */
export function claimAgain(turn: Turn): void {
  for (const [room, waiting] of turn.state.waiting) {
    if (waiting.isClaimed) continue;
    const [first] = waiting.asks;
    if (first !== undefined) claim(turn, room, waiting, first);
  }
}

/** Takes an envelope of an owner. */
export function hearOwner(turn: Turn, envelope: Envelope): void {
  const { from: other, link: number, items, isEnd } = envelope;
  const link = turn.state.up.get(other);
  if (link?.number !== number) {
    // It does not know yet that the link has ended.
    if (!isEnd) sendEnd(turn, { way: 'up', other, number });
    return;
  }
  if (isEnd) {
    closeUp(turn, link);
    return;
  }
  const counted = count(link, envelope);
  if (counted === 'gap') {
    closeUp(turn, link);
    sendEnd(turn, link);
  } else if (counted === 'next') for (const item of items) hearItem(turn, link, item);
}

/**
 * A link with an owner has ended. Its members here connect again, and get their places back.
 * @param kept what waits for another owner
 */
export function closeUp(turn: Turn, link: UpLink, kept: ReadonlySet<string> = new Set()): void {
  const { state } = turn;
  state.up.delete(link.other);
  const lost = new Set<RoomName>();
  for (const [room, owner] of state.elsewhere) if (owner === link.other) lost.add(room);
  for (const room of lost) state.elsewhere.delete(room);
  for (const session of link.clients) {
    const client = state.clients.get(session);
    if (client === undefined) continue;
    const { binding } = client;
    const isBound = binding !== null && lost.has(binding.room);
    if (isBound && !kept.has(keyOf({ session, number: binding.number })))
      cut(turn, session, client);
    for (const [number, { room }] of client.asks)
      if (room !== null && lost.has(room) && !kept.has(keyOf({ session, number })))
        putOff(turn, { session, number });
  }
}

/** What was asked in an envelope that has not arrived waits for another owner. */
export function askAgain(turn: Turn, { to, link: number, items }: Envelope): void {
  const { state, moment } = turn;
  const link = state.up.get(to);
  if (link?.number !== number) return;
  const kept: Asked[] = [];
  for (const item of items) {
    if (item.type !== 'ask') continue;
    const binding = state.clients.get(item.session)?.binding ?? null;
    // A member that has asked for something else has lost its connection to the owner.
    if (binding !== null && binding.number !== item.number) continue;
    kept.push(item);
  }
  closeUp(turn, link, new Set(kept.map(keyOf)));
  for (const asked of kept) {
    const at = state.clients.get(asked.session)?.asks.get(asked.number)?.at ?? -Infinity;
    if (at <= moment.now - OWNER_PATIENCE) putOff(turn, asked);
    else wait(state, asked);
  }
}

/** Brings what a client asks to the owner of the room. */
function route(turn: Turn, asked: Asked): void {
  const { state } = turn;
  const { session, room } = asked;
  if (!state.clients.has(session)) return;
  const owner = state.elsewhere.get(room);
  if (state.owned.has(room)) serve(turn, session, asked);
  else if (owner !== undefined) {
    const link = linkTo(turn, owner);
    link.clients.add(session);
    post(turn, link, asked);
  } else if (state.lease.type === 'none') putOff(turn, asked);
  else {
    const isFirst = !state.waiting.has(room);
    const waiting = wait(state, asked);
    if (isFirst) claim(turn, room, waiting, asked);
  }
}

function wait({ waiting }: Instance, asked: Asked): Waiting {
  const { room } = asked;
  const known = waiting.get(room) ?? { asks: [], isClaimed: false };
  waiting.set(room, known);
  known.asks.push(asked);
  return known;
}

function claim(turn: Turn, room: RoomName, waiting: Waiting, { ask }: Asked): void {
  waiting.isClaimed = true;
  question(turn, { type: 'claim', self: idOf(turn.state), room, era: eraIn(turn, ask) });
}

function keyOf({ session, number }: Pick<Asked, 'session' | 'number'>): string {
  return `${session}/${number}`;
}

function hearItem(turn: Turn, link: UpLink, item: Envelope['items'][number]): void {
  switch (item.type) {
    case 'returned': {
      const { asked } = item;
      const { elsewhere } = turn.state;
      if (elsewhere.get(asked.room) === link.other) elsewhere.delete(asked.room);
      if (asked.isReturned) putOff(turn, asked);
      else route(turn, { ...asked, isReturned: true });
      return;
    }
    // Edges say these.
    case 'ask':
    case 'taken':
    case 'closed':
      return;
    default:
      tellHere(turn, item);
  }
}

/** An era that a member comes from: the room goes on in later ones. */
function eraIn({ ports }: Turn, ask: Ask): number {
  return ask.type === 'resume' ? (ports.tickets.open(ask.body.ticket)?.era ?? 0) : 0;
}

/** The room that is asked for by name. */
function roomOf(ask: LocalAsk): RoomName | null {
  switch (ask.type) {
    case 'join':
    case 'resume':
    case 'govern':
    case 'goodbye':
      return ask.body.room;
    case 'watch':
      return ask.room;
    default:
      return null;
  }
}

/** What a client is to the room from this ask on. */
function bindingBy(ask: LocalAsk, number: number): Binding | null {
  switch (ask.type) {
    case 'join':
    case 'resume':
      return { type: 'member', room: ask.body.room, id: ask.body.id, number };
    case 'watch':
      return { type: 'spectator', room: ask.room, number };
    default:
      return null;
  }
}

function askOf(ask: LocalAsk): Ask {
  return ask.type === 'watch' ? { type: 'watch', body: ask.body } : ask;
}
