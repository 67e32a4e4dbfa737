/** What an instance does as the owner of rooms: for its own clients, and for those of other instances. */
import { handle, placeOf, sessionsIn } from '../broker/broker.ts';
import { mayLeave } from '../broker/sessions.ts';
import type { Input as BrokerInput, SessionId } from '../broker/state.ts';
import { NOT_JOINED, refusal } from '../broker/turn.ts';
import type { RoomName } from '../protocol/ids.ts';
import type { LeaveRequest, Reply } from '../protocol/signaling.ts';
import type { Asked, Envelope } from './envelope.ts';
import { acceptLink, count, post, sendEnd } from './links.ts';
import type { DownLink, HostInput, Owned, Turn } from './state.ts';
import { tell, TRY_AGAIN } from './tell.ts';

/** How long ago the last lease was asked for where one has not been renewed in time, in milliseconds. */
const LATE = 1_500;

/** Gives the broker an input, and hands out what it delivers. */
export function feed(turn: Turn, input: BrokerInput): void {
  const { state, moment, ports } = turn;
  for (const delivery of handle(state.broker, input, moment, ports)) {
    if (delivery.type === 'note') turn.outputs.push(delivery);
    else tell(turn, delivery);
    if (delivery.type === 'reply' && delivery.reply.ok && 'view' in delivery.reply)
      tellIfWatched(turn, delivery.session);
  }
}

/** Does what a client asks of a room that this instance owns. */
export function serve(
  turn: Turn,
  session: SessionId,
  { number, room, address, grant, ask }: Asked,
): void {
  switch (ask.type) {
    case 'watch': {
      addSpectator(turn, session, room);
      const { body: watch } = ask;
      turn.outputs.push({ type: 'host watch', session, number, room, address, grant, watch });
      return;
    }
    case 'trace': {
      const place = placeOf(turn.state.broker, session);
      if (place === null) tell(turn, { type: 'reply', session, number, reply: NOT_JOINED });
      else turn.outputs.push({ type: 'host trace', session, number, ...place, trace: ask.body });
      return;
    }
    case 'goodbye':
      tell(turn, { type: 'reply', session, number, reply: goodbye(turn, ask.body) });
      return;
    case 'join':
      if (isOutOfTouch(turn)) {
        turn.outputs.push({ type: 'put off' });
        tell(turn, { type: 'reply', session, number, reply: TRY_AGAIN });
        return;
      }
      break;
    default:
  }
  feed(turn, { type: 'request', session, number, request: ask, grant: grant ?? undefined });
}

/**
 * Whether the directory has not answered lately. Members at other instances may be out of reach then, and a
 * newcomer beside one would have it turned out.
 */
function isOutOfTouch({ state: { lease }, moment }: Turn): boolean {
  if (lease.type === 'none' || lease.until.now === Infinity) return false;
  return moment.now - lease.asked.now > LATE;
}

/** A client has gone. */
export function forget(turn: Turn, session: SessionId): void {
  if (removeSpectator(turn, session)) turn.outputs.push({ type: 'host closed', session });
  feed(turn, { type: 'closed', session });
}

function addSpectator({ state }: Turn, session: SessionId, room: RoomName): void {
  const owned = state.owned.get(room);
  if (owned === undefined) return;
  owned.spectators += 1;
  state.spectators.set(session, room);
}

/** Returns whether it was one. */
function removeSpectator({ state }: Turn, session: SessionId): boolean {
  const room = state.spectators.get(session);
  if (room === undefined) return false;
  state.spectators.delete(session);
  const owned = state.owned.get(room);
  if (owned !== undefined) owned.spectators -= 1;
  return true;
}

/** What those say who serve spectators. */
export function hearHost(turn: Turn, input: HostInput): void {
  switch (input.type) {
    case 'host reply': {
      const { session, number, reply } = input;
      if (!reply.ok) removeSpectator(turn, session);
      tell(turn, { type: 'reply', session, number, reply });
      return;
    }
    case 'host order':
      tell(turn, { ...input, type: 'order' });
      return;
    case 'host traces':
      tell(turn, { ...input, type: 'traces' });
      return;
    case 'host end':
      tell(turn, { type: 'end', session: input.session, why: 'evicted' });
      return;
    case 'host watched':
      tellWatched(turn, input.room, input.isWatched);
      return;
  }
}

/** Takes an envelope of an edge. */
export function hearEdge(turn: Turn, envelope: Envelope): void {
  const { state } = turn;
  const { from, link: number, items, isEnd } = envelope;
  const known = state.down.get(from);
  if (known !== undefined && number < known.number) return;
  if (known !== undefined && (isEnd || number > known.number)) closeDown(turn, known);
  if (isEnd) return;
  const link = state.down.get(from) ?? acceptLink(turn, envelope);
  const counted = count(link, envelope);
  if (counted === 'gap') {
    closeDown(turn, link);
    sendEnd(turn, link);
  } else if (counted === 'next') for (const item of items) hearItem(turn, link, item);
}

/** A link with an edge has ended: all its clients have lost their connections, as far as is known here. */
export function closeDown(turn: Turn, link: DownLink): void {
  turn.state.down.delete(link.other);
  for (const session of link.sessions.values()) forgetRemote(turn, session);
}

function hearItem(turn: Turn, link: DownLink, item: Envelope['items'][number]): void {
  switch (item.type) {
    case 'ask': {
      if (turn.state.owned.has(item.room)) serve(turn, sessionOf(turn, link, item), item);
      else post(turn, link, { type: 'returned', asked: item });
      return;
    }
    case 'taken': {
      const session = link.sessions.get(item.session);
      if (session !== undefined)
        turn.outputs.push({ type: 'host taken', session, number: item.number });
      return;
    }
    case 'closed': {
      const session = link.sessions.get(item.session);
      link.sessions.delete(item.session);
      if (session !== undefined) forgetRemote(turn, session);
      return;
    }
    // Owners say all else.
    default:
      return;
  }
}

/** The broker's number for a client of another instance. */
function sessionOf(turn: Turn, link: DownLink, { session, address }: Asked): SessionId {
  const { state } = turn;
  const known = link.sessions.get(session);
  if (known !== undefined) return known;
  state.remotes += 1;
  const fresh = -state.remotes;
  link.sessions.set(session, fresh);
  state.remote.set(fresh, { edge: link.other, session });
  feed(turn, { type: 'opened', session: fresh, address });
  return fresh;
}

function forgetRemote(turn: Turn, session: SessionId): void {
  // First it is a client no more: nothing is told to it.
  turn.state.remote.delete(session);
  forget(turn, session);
}

function goodbye(turn: Turn, request: LeaveRequest): Reply {
  const { room, id } = request;
  const { broker } = turn.state;
  if (!mayLeave(broker, request)) return refusal('not-joined', `that is not the secret of ${id}`);
  const isMember = broker.rooms.get(room)?.ring.some((member) => member.id === id) === true;
  if (isMember) turn.outputs.push({ type: 'left', room, id });
  feed(turn, { type: 'goodbye', request });
  return { ok: true };
}

function tellWatched(turn: Turn, room: RoomName, isWatched: boolean): void {
  const { owned, broker } = turn.state;
  const known = owned.get(room);
  if (known === undefined) return;
  known.isWatched = isWatched;
  for (const session of sessionsIn(broker, room))
    tell(turn, { type: 'watched', session, isWatched });
}

/** One that has got its place is told of spectators of before. */
function tellIfWatched(turn: Turn, session: SessionId): void {
  const { owned, broker } = turn.state;
  const place = placeOf(broker, session);
  if (place !== null && owned.get(place.room)?.isWatched === true)
    tell(turn, { type: 'watched', session, isWatched: true });
}

/** Whether a room that is owned need not be: nobody has a place in it, watches it, or is its host. */
export function isIdle({ state, moment }: Turn, room: RoomName, { spectators }: Owned): boolean {
  const { rooms, reserved } = state.broker;
  const isReserved = (reserved.get(room)?.until ?? 0) > moment.now;
  return !rooms.has(room) && !isReserved && spectators === 0;
}
