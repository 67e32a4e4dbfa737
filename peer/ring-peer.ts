/** A ring member on real links, a real server, the real clock and real randomness. */
import { v4 as uuid } from 'uuid';
import { parsePeerId, type PeerId, type RoomName } from '../shared/protocol/ids.ts';
import { clockOf } from '../shared/driver/clock.ts';
import { countedRandom } from '../shared/driver/random.ts';
import type { Signaling } from '../shared/driver/ports.ts';
import type { RingPeerOptions, RingPeerPorts } from '../shared/driver/ring-peer.ts';
import { RingPeer } from '../shared/driver/ring-peer.ts';
import type { IceServers } from './ice-servers.ts';
import { LazyTracer } from './lazy-tracer.ts';
import { LinkWatch, type LinkWays } from './link-ways.ts';
import type { SocketOptions } from './socket-signaling.ts';

export interface PeerPorts extends Pick<RingPeerPorts, 'openLink' | 'onEvent'> {
  /**
   * Makes a connection to the server; called once for each membership.
   * @param options what to call when spectators come and go, and when the server can be told of links;
   *   without it the peer never does so
   */
  readonly newSignaling: (options: Pick<SocketOptions, 'onWatched' | 'onReporting'>) => Signaling;
  /** Those that `openLink` uses, if it may use any. */
  readonly iceServers?: IceServers;
  /** Told by which way the links go, a moment after that has changed. */
  readonly onLinkWays?: (ways: LinkWays) => void;
}

/**
 * Makes a peer; its `join` makes it a member.
 * @param room to be a member of
 */
export function createRingPeer(
  room: RoomName,
  ports: PeerPorts,
  options: RingPeerOptions = {},
): RingPeer {
  const clock = clockOf(globalThis);
  const tracer = new LazyTracer(clock, () => peer.state);
  const { iceServers, onLinkWays = () => undefined } = ports;
  const mayTurn = () => iceServers?.haveTurn === true;
  const watch = new LinkWatch(clock, () => peer.links, mayTurn, onLinkWays);
  const peer: RingPeer = new RingPeer(
    room,
    {
      openLink: ports.openLink,
      newSignaling: () => ports.newSignaling({ ...tracer.options(), ...watch.options() }),
      onEvent: (event, state) => {
        tracer.note(event, state);
        watch.note(event);
        ports.onEvent(event, state);
      },
      clock,
      date: Date.now,
      random: countedRandom(Math.floor(Math.random() * 2 ** 32)),
      newId,
      newSecret: uuid,
    },
    options,
  );
  return peer;
}

function newId(): PeerId {
  const id = parsePeerId(uuid());
  if (!id.ok) throw new Error(id.error);
  return id.value;
}
