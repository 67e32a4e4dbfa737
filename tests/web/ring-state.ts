/** Rings as a peer would describe them, for tests of what is drawn. */
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { RingState, Seat } from '../../shared/member/events.ts';
import { roomName } from '../support.ts';

/**
 * A ring without faults, as one of its peers knows it.
 * @param ids of its peers in ring order; the highest leads
 */
export function ringState(
  ids: readonly PeerId[],
  self: PeerId,
  more: Partial<RingState> = {},
): RingState {
  const leader = ids.toSorted().at(-1) ?? self;
  const from = (start: PeerId) => [
    ...ids.slice(ids.indexOf(start)),
    ...ids.slice(0, ids.indexOf(start)),
  ];
  const [, successor = self] = from(self);
  const predecessor = from(self).at(-1) ?? self;
  const link = ids.length === 1 ? 'none' : 'direct';
  return {
    id: self,
    room: roomName('showcase'),
    role: self === leader ? 'leader' : 'follower',
    era: 1,
    term: 3,
    leader,
    isConfirmed: true,
    confirmedUntil: 2_000_000_000_000,
    hopsFromLeader: from(leader).indexOf(self),
    size: ids.length,
    successor,
    predecessor,
    successorLink: link,
    predecessorLink: link,
    server: 'connected',
    ring: {
      term: 3,
      seats: from(leader).map((id): Seat => ({ id, link: 'direct' })),
      messages: 41,
    },
    hopDelay: 0,
    ...more,
  };
}
