/**
 * A broker without clock values and counters, as canonical-member.ts does it for members. It is a copy, too:
 * nothing that `handle` changes in place is shared with the original.
 */
import type { Loss, Member, Room } from '../../../broker/room.ts';
import type { Broker, Due, OpenRoom, Seat } from '../../../broker/state.ts';
import { LATER, NOW } from './canonical-member.ts';

/** When a connection was lost that was not lost just now. */
const LONG_AGO = NOW - 60_000;

export function canonicalBroker(broker: Broker): Broker {
  return {
    ...broker,
    startedAt: NOW,
    sessions: mapped(broker.sessions, (session) => ({ ...session })),
    accusations: new Map(),
    rooms: mapped(broker.rooms, canonicalRoom),
    dues: inOrder(broker.dues, keyOf).map((due) => ({ ...due, at: LATER })),
  };
}

/** The text of a canonical broker. */
export function textOfBroker(broker: Broker): string {
  return JSON.stringify(broker, (_, value: unknown) =>
    value instanceof Map || value instanceof Set ? [...value] : value,
  );
}

/** What is armed, with one of it due now. */
export function brokerWith(broker: Broker, due: Due): Broker {
  const others = broker.dues.filter((other) => other !== due);
  const dues = [{ ...due, at: NOW }, ...others.map((other) => ({ ...other, at: LATER }))];
  const rooms = mapped(broker.rooms, (open) => aged(open, due));
  return { ...broker, dues, rooms };
}

/** Time has passed when absent members are asked about again, or some have not answered a probe. */
function aged(open: OpenRoom, { name }: Due): OpenRoom {
  const ring = open.ring.map((member) => ({
    ...member,
    lost:
      member.lost === null || name !== 'checks' ? member.lost : { ...member.lost, at: LONG_AGO },
  }));
  const seats = mapped(open.seats, (seat) =>
    name === 'probes' ? { ...seat, probe: seat.probe && { ...seat.probe, until: NOW } } : seat,
  );
  return { ...open, ring, seats };
}

/** What is due, and for what. */
function keyOf(due: Due): string {
  return `${due.name} ${due.room}`;
}

function canonicalRoom(open: OpenRoom): OpenRoom {
  return {
    ...open,
    ...canonicalRing(open),
    openedAt: NOW,
    seats: mapped(open.seats, canonicalSeat),
    pending: open.pending.map((each) => ({ ...each, since: NOW })),
    assignedAt: open.assignedAt === null ? null : NOW,
    eraToldAt: null,
    tasks: new Set([...open.tasks].toSorted()),
  };
}

function canonicalSeat(seat: Seat): Seat {
  const probe = seat.probe && { ...seat.probe, until: LATER };
  const lookups = [...seat.lookups];
  return { ...seat, silences: [], answeredAt: -Infinity, relays: [], probe, lookups };
}

/** Of the ages of edges only the order counts. */
function canonicalRing(room: Room): Room {
  const ages = room.ring.map(({ edgeMade }) => edgeMade).sort((a, b) => a - b);
  const member = (each: Member): Member => ({
    ...each,
    seated: NOW,
    edgeMade: ages.indexOf(each.edgeMade) + 1,
    lost: each.lost === null ? null : canonicalLoss(each.lost),
    former: { ...each.former },
  });
  const recollections = room.recollections === null ? null : [...room.recollections];
  return { ...room, recollections, ring: room.ring.map(member), edgesMade: ages.length };
}

function canonicalLoss({ at, neighbours, words }: Loss): Loss {
  return { neighbours, at: at < NOW ? LONG_AGO : NOW, words: { ...words } };
}

/** The order in which entries were made does not matter. */
function mapped<Key, Value>(
  entries: ReadonlyMap<Key, Value>,
  change: (value: Value) => Value,
): Map<Key, Value> {
  const changed = [...entries].map(([key, value]) => [key, change(value)] as const);
  return new Map(inOrder(changed, ([key]) => String(key)));
}

function inOrder<Value>(values: readonly Value[], keyOf: (value: Value) => string): Value[] {
  return values.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}
