/**
 * A broker without clock values and counters, as canonical-member.ts does it for members. It is a copy, too:
 * nothing that `handle` changes in place is shared with the original.
 */
import { newDues, type Due, type Dues, type Task } from '../../../broker/dues.ts';
import type { Loss, Member, Room } from '../../../broker/room.ts';
import type { Broker, OpenRoom, Seat } from '../../../broker/state.ts';
import { newTable, put, type Table } from '../../../broker/table.ts';
import { LATER, NOW } from './canonical-member.ts';

/** When a connection was lost that was not lost just now, and somebody was last in a deserted room. */
const LONG_AGO = NOW - 60_000;

export function canonicalBroker(broker: Broker): Broker {
  return {
    ...broker,
    startedAt: NOW,
    sessions: sorted(broker.sessions),
    rooms: mapped(broker.rooms, canonicalRoom),
    spellings: sorted(broker.spellings),
    probes: sorted(broker.probes),
    dues: canonicalDues(broker.dues),
    probed: broker.probes.size === 0 ? 0 : broker.probed,
  };
}

/** What is armed, with one of it due now. */
export function brokerWith(broker: Broker, due: Due): Broker {
  const dues = newDues();
  for (const each of [due, ...broker.dues.order.filter((other) => other !== due)]) {
    const at = each === due ? NOW : LATER;
    dues.order.push({ ...each, at });
    put(dues.times, keyOf(each), at);
  }
  // Time has passed when absent members are asked about again.
  const rooms = due.name === 'checks' ? mapped(broker.rooms, (open) => aged(open)) : broker.rooms;
  return { ...broker, dues, rooms };
}

function aged(open: OpenRoom): OpenRoom {
  const ring = open.room.ring.map((member) => ({
    ...member,
    lost: member.lost === null ? null : { ...member.lost, at: LONG_AGO },
  }));
  return { ...open, presentAt: LONG_AGO, room: { ...open.room, ring } };
}

function canonicalDues({ order }: Dues): Dues {
  const dues = newDues();
  const byKey = (a: Due, b: Due) => (keyOf(a) < keyOf(b) ? -1 : 1);
  for (const due of [...order].sort(byKey)) {
    dues.order.push({ ...due, at: LATER });
    put(dues.times, keyOf(due), LATER);
  }
  return dues;
}

/** As `dues.ts` names a task. */
function keyOf(task: Task): string {
  return `${task.name} ${task.name === 'probe' ? task.probe : task.room}`;
}

function canonicalRoom(open: OpenRoom): OpenRoom {
  return {
    ...open,
    room: canonicalRing(open.room),
    openedAt: NOW,
    presentAt: NOW,
    seats: mapped(open.seats, canonicalSeat),
    pending: open.pending.map((each) => ({ ...each, since: NOW })),
    assignedAt: open.assignedAt === null ? null : NOW,
    eraToldAt: null,
  };
}

function canonicalSeat(seat: Seat): Seat {
  return { ...seat, accusations: [], silences: [] };
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
function sorted<Value>(table: Table<Value>): Table<Value> {
  return mapped(table, (value) => value);
}

function mapped<Value>(table: Table<Value>, change: (value: Value) => Value): Table<Value> {
  const changed = newTable<Value>();
  for (const key of Object.keys(table.entries).sort()) {
    const value = table.entries[key];
    if (value === undefined) continue;
    changed.entries[key] = change(value);
    changed.size += 1;
  }
  return changed;
}
