/** Peers about whom something was done recently. */
import type { PeerId } from '../protocol/ids.ts';
import type { PeerAt } from './state.ts';

/** Those of the last so many milliseconds. */
export function recent(
  peers: readonly PeerAt[],
  milliseconds: number,
  now: number,
): readonly PeerAt[] {
  return peers.filter(({ at }) => at > now - milliseconds);
}

export function isNoted(peers: readonly PeerAt[], peer: PeerId): boolean {
  return peers.some((each) => each.peer === peer);
}
