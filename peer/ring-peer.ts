/** A ring member on real links, signaling, time and chance. */
import { v4 as uuid } from 'uuid';
import { parsePeerId, type PeerId, type RoomName } from '../shared/protocol/ids.ts';
import { clockOf } from '../shared/ring/clock.ts';
import type { RingPeerPorts } from '../shared/ring/ring-peer.ts';
import { RingPeer } from '../shared/ring/ring-peer.ts';

/**
 * Makes a peer; its `join` makes it a member.
 * @param room to be a member of
 */
export function createRingPeer(
  room: RoomName,
  ports: Pick<RingPeerPorts, 'openLink' | 'newSignaling' | 'onEvent'>,
): RingPeer {
  return new RingPeer(room, {
    ...ports,
    clock: clockOf(globalThis),
    random: Math.random,
    newId,
    newSecret: uuid,
  });
}

function newId(): PeerId {
  const id = parsePeerId(uuid());
  if (!id.ok) throw new Error(id.error);
  return id.value;
}
