/**
 * What the host of a room may do (member/SPEC.md, L19). Keys are compared as the carrier gives them: it makes
 * digests of what clients send.
 */
import type { PeerId, RoomName } from '../protocol/ids.ts';
import type { Facts, GovernRequest, Refusal } from '../protocol/signaling.ts';
import { factsOf, NO_FACTS, reserve, RESERVED } from './facts.ts';
import { letGo, mayBeLost } from './recovery.ts';
import { has } from './room.ts';
import type { Asker, OpenRoom } from './state.ts';
import { deliver, end, note, refusal, reply, type Turn } from './turn.ts';
import { viewFor } from './views.ts';

/** How many rooms that nobody has come to yet clients of one address may have. */
const MOST_RESERVED = 50;

/** How many that were turned out are remembered in each room. */
const MAX_TURNED_OUT = 24;

/** Does what the host of a room wants, if it is its host. */
export function govern(turn: Turn, asker: Asker, request: GovernRequest): void {
  const { room: name, host, key, order } = request;
  const facts = factsOf(turn, name);
  const address = turn.state.sessions.get(asker.session)?.address ?? '';
  const refused =
    facts === null ? refusalOfClaim(turn, order.do, address) : refusalOfHost(facts, host);
  if (refused !== null) {
    reply(turn, asker, refused);
    return;
  }
  const before = facts ?? { ...NO_FACTS, key, host, revision: turn.state.latestEra };
  const after = factsAfter(turn, name, before, order);
  const open = turn.state.rooms.get(name);
  if (open === undefined)
    reserve(turn, name, after, RESERVED.before, { isEarly: mayBeLost(turn, name), address });
  else open.facts = after;
  reply(turn, asker, { ok: true, isLocked: after.isLocked });
  if (order.do === 'turn out' && open !== undefined) turnOut(turn, open, order.id);
  if (order.do !== 'claim' && open !== undefined) tellAll(turn, open);
}

function refusalOfClaim({ state, now }: Turn, wanted: string, address: string): Refusal | null {
  if (wanted !== 'claim') return NOT_HOST;
  const { rooms, reserved, limits } = state;
  const own = [...reserved.values()].filter((each) => each.address === address && each.until > now);
  if (own.length >= MOST_RESERVED)
    return refusal(
      'try-again',
      'your network has as many rooms with nobody in them as it may have',
    );
  const isFull = rooms.size + reserved.size >= limits.rooms;
  return isFull ? refusal('room-full', 'this server has as many rooms as it takes') : null;
}

const NOT_HOST = refusal('not-host', 'this room has another host, or was opened without one');

function refusalOfHost(facts: Facts, host: string | null): Refusal | null {
  // null: by its grant, which the carrier has checked.
  return host === null || facts.host === host ? null : NOT_HOST;
}

function factsAfter(
  { state }: Turn,
  name: RoomName,
  facts: Facts,
  order: GovernRequest['order'],
): Facts {
  const next = { revision: facts.revision + 1 };
  switch (order.do) {
    case 'claim':
      return facts;
    case 'lock':
      return { ...facts, ...next, isLocked: true };
    case 'unlock':
      return { ...facts, ...next, isLocked: false };
    case 'turn out': {
      const grant = state.rooms.get(name)?.seats.get(order.id)?.grant ?? null;
      const more = grant === null ? [order.id] : [order.id, grant];
      return { ...facts, ...next, turnedOut: [...facts.turnedOut, ...more].slice(-MAX_TURNED_OUT) };
    }
  }
}

function turnOut(turn: Turn, open: OpenRoom, id: PeerId): void {
  if (!open.seats.has(id)) return;
  if (has(open, id)) note(turn, open, { type: 'evicted', id, reason: 'turned out' });
  end(turn, letGo(turn, open, id, false), 'evicted');
}

/** Gives all members tickets that say what is so now. */
function tellAll(turn: Turn, open: OpenRoom): void {
  if (open.recollections !== null) return;
  for (const { id } of open.ring) {
    const view = viewFor(open, id);
    if (view !== undefined) deliver(turn, open, [{ to: id, type: 'view', view }]);
  }
}
