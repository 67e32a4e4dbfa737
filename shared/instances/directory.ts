/**
 * Which instance owns which room. Several instances share one directory, which decides by its own clock. It
 * is asked one question at a time; this is its state machine. A server alone keeps one in its memory;
 * signaling-server/redis-directory.ts does the same by scripts in Redis.
 *
 * An instance holds a lease for all its rooms, as in Gray and Cheriton, "Leases" (SOSP 1989). Each grant of a
 * room comes with an era that is later than those of all grants before: the fencing number of what the owner
 * says (Kleppmann, "How to do distributed locking").
 */
import type { RoomName } from '../protocol/ids.ts';

/** A running server, until it loses its lease: then it goes on as another instance. */
export type InstanceId = string;

export type Question =
  /** Gives an instance a lease, if it `isNew`, or renews the lease that it has. */
  | {
      readonly type: 'renew';
      readonly self: InstanceId;
      readonly isNew: boolean;
      /** The latest era that it knows. */
      readonly era: number;
      /** Rooms of its own whose records are to be kept for another {@link RECORD_LASTS}. */
      readonly keep: readonly RoomName[];
    }
  /** Asks for a room that the instance does not own, as far as it knows. */
  | {
      readonly type: 'claim';
      readonly self: InstanceId;
      readonly room: RoomName;
      /** An era that the room was in. */
      readonly era: number;
    }
  /** Gives a room back that has nobody in it. */
  | { readonly type: 'release'; readonly self: InstanceId; readonly room: RoomName }
  /** Gives all up. What the rooms were is lost. */
  | { readonly type: 'drain'; readonly self: InstanceId };

export type Answer =
  /** The lease holds for so long from the question on; and who holds one. */
  | { readonly type: 'renewed'; readonly lasts: number; readonly live: readonly InstanceId[] }
  /** The instance has no lease. */
  | { readonly type: 'unknown' }
  /**
   * The room is the instance's, in later eras than `era`. It `isLost` where it was that of an instance whose
   * lease is over.
   */
  | { readonly type: 'granted'; readonly era: number; readonly isLost: boolean }
  /** The room is another instance's. */
  | { readonly type: 'held'; readonly by: InstanceId }
  | { readonly type: 'done' };

/** How long a lease lasts, in milliseconds, where several instances share a directory. */
export const LEASE_LASTS = 5_000;

/** How long the record of a room is kept, in milliseconds. */
export const RECORD_LASTS = 86_400_000;

/** How many eras a grant leaves to the owner before: more than it will begin until the directory knows. */
export const ERAS_PER_GRANT = 1_000;

export interface Directory {
  /** How long leases last; Infinity for a server alone. */
  readonly leaseLasts: number;
  /** By instance: when its lease is over. */
  readonly leases: Map<InstanceId, number>;
  readonly owners: Map<RoomName, { readonly owner: InstanceId; readonly until: number }>;
  /** The latest of any grant, or told by an instance. */
  era: number;
}

export function newDirectory(leaseLasts: number): Directory {
  return { leaseLasts, leases: new Map(), owners: new Map(), era: 0 };
}

/** @param date milliseconds since 1970 by the directory's clock */
export function answer(directory: Directory, question: Question, date: number): Answer {
  switch (question.type) {
    case 'renew':
      return renew(directory, question, date);
    case 'claim':
      return claim(directory, question, date);
    case 'release':
      if (ownerOf(directory, question.room, date) === question.self)
        directory.owners.delete(question.room);
      return { type: 'done' };
    case 'drain':
      directory.leases.delete(question.self);
      return { type: 'done' };
  }
}

type Asking<Type extends Question['type']> = Extract<Question, { readonly type: Type }>;

function renew(
  directory: Directory,
  { self, isNew, era, keep }: Asking<'renew'>,
  date: number,
): Answer {
  const { leases, owners, leaseLasts } = directory;
  if (!isNew && !leases.has(self)) return { type: 'unknown' };
  for (const instance of leases.keys())
    if (instance !== self && !isLive(directory, instance, date)) leases.delete(instance);
  leases.set(self, date + leaseLasts);
  directory.era = Math.max(directory.era, era);
  for (const room of keep)
    if (ownerOf(directory, room, date) === self)
      owners.set(room, { owner: self, until: date + RECORD_LASTS });
  return { type: 'renewed', lasts: leaseLasts, live: [...leases.keys()] };
}

function claim(
  directory: Directory,
  { self, room, era: least }: Asking<'claim'>,
  date: number,
): Answer {
  const { leases, owners } = directory;
  if (!isLive(directory, self, date)) return { type: 'unknown' };
  const owner = ownerOf(directory, room, date);
  if (owner !== null && owner !== self && isLive(directory, owner, date))
    return { type: 'held', by: owner };
  // What another is given of an instance ends all that it has.
  if (owner !== null && owner !== self) leases.delete(owner);
  directory.era = Math.max(date, directory.era + ERAS_PER_GRANT, least + 1);
  owners.set(room, { owner: self, until: date + RECORD_LASTS });
  return { type: 'granted', era: directory.era, isLost: owner !== null };
}

/** A lease that lasts for longer than any has been given before the clock was set back. */
function isLive({ leases, leaseLasts }: Directory, instance: InstanceId, date: number): boolean {
  const until = leases.get(instance) ?? -Infinity;
  return until > date && until <= date + leaseLasts;
}

function ownerOf({ owners }: Directory, room: RoomName, date: number): InstanceId | null {
  const record = owners.get(room);
  return record !== undefined && record.until > date ? record.owner : null;
}
