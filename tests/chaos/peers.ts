/**
 * A process of several peers on real links: `node peers.js URL ROOM SLOTS LINKS`, with LINKS `direct`;
 * `relayed` where peers can reach each other only through the server; or `turn` for links through a TURN server
 * alone, of peers that are preferred as leaders. The driver tells each to join and leave, and may kill the
 * whole process.
 */
import { IceServers } from '../../peer/ice-servers.ts';
import { createRingPeer, type PeerPorts } from '../../peer/ring-peer.ts';
import { nodeLinks, nodeWebRtc } from '../../peer/node-links.ts';
import { socketSignaling } from '../../peer/socket-signaling.ts';
import { parseRoomName, type RoomName } from '../../shared/protocol/ids.ts';
import { isLap } from '../../shared/protocol/messages.ts';
import { describe } from '../../shared/narration/describe.ts';
import type { RingEvent, RingState } from '../../shared/member/events.ts';
import type { RingPeer } from '../../shared/driver/ring-peer.ts';
import { isolatedLinks } from './isolated-links.ts';
import { MAX_EVENTS } from './messages.ts';
import { listen, measure, tell } from './own-process.ts';

/** Refusals that occur with servers that die, where the peer asks again, and by one that relays nothing. */
const HONEST_REFUSALS = new Set(['place-lost', 'id-taken', 'no-relay', 'try-again']);

const live = new Set<CountedConnection>();

/** A connection that is counted until it is closed. */
class CountedConnection extends nodeWebRtc.RTCPeerConnection {
  readonly #made = timeOfDay();

  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    live.add(this);
  }

  override close(): void {
    live.delete(this);
    super.close();
  }

  get description(): string {
    return `made ${this.#made}, ${this.signalingState}, ICE ${this.iceConnectionState}, ${this.connectionState}`;
  }
}

function timeOfDay(): string {
  return new Date().toISOString().slice(11, 23);
}

class Slot {
  readonly history: string[] = [];
  dropped = 0;
  readonly #peer: RingPeer;
  #isMember = false;

  constructor(url: string, room: RoomName) {
    const iceServers = new IceServers();
    const openLink = nodeLinks({
      iceServers,
      iceTransportPolicy: links === 'turn' ? 'relay' : 'all',
      wrtc: { ...nodeWebRtc, RTCPeerConnection: CountedConnection },
    });
    const ports: PeerPorts = {
      iceServers,
      openLink: links === 'relayed' ? isolatedLinks(openLink) : openLink,
      newSignaling: () =>
        socketSignaling(url, { onIceServers: (servers) => iceServers.take(servers) }),
      onEvent: (event, state) => {
        this.#note(event, state);
      },
    };
    this.#peer = createRingPeer(room, ports, { priority: links === 'turn' ? 2 : 1 });
  }

  get state(): RingState | null {
    return this.#isMember ? this.#peer.state : null;
  }

  join(): void {
    this.#isMember = true;
    this.#peer.join();
  }

  leave(): void {
    this.#isMember = false;
    this.#peer.leave();
  }

  campaign(): void {
    this.#peer.campaign();
  }

  #note(event: RingEvent, { id }: RingState): void {
    const { what, why } = describe(event, id);
    switch (event.type) {
      case 'sent':
      case 'received':
        // Laps would displace everything else.
        if (isLap(event.message)) return;
        break;
      case 'dropped':
        this.dropped += 1;
        break;
      case 'error':
        tell({ type: 'fault', what: `${id}: ${event.message}` });
        break;
      case 'refused':
        if (!HONEST_REFUSALS.has(event.code))
          tell({ type: 'fault', what: `${id} was refused as ${event.code}: ${event.message}` });
        break;
      default:
    }
    this.history.push(`${timeOfDay()} ${id.slice(0, 8)} ${what}${why && ` (${why})`}`);
    if (this.history.length > MAX_EVENTS) this.history.shift();
  }
}

process.on('uncaughtException', (error, origin) => {
  tell({ type: 'fault', what: `${origin}: ${error.stack ?? error.message}` });
});

const [, , url = '', roomName = '', count = '', links = ''] = process.argv;
const room = parseRoomName(roomName);
if (!room.ok) throw new Error(room.error);
const slots = Array.from({ length: Number(count) }, () => new Slot(url, room.value));

function slotAt(at: number): Slot {
  const slot = slots[at];
  if (slot === undefined) throw new Error(`there is no slot ${at}`);
  return slot;
}

listen((message) => {
  switch (message.type) {
    case 'join':
      slotAt(message.slot).join();
      return;
    case 'leave':
      slotAt(message.slot).leave();
      return;
    case 'campaign':
      slotAt(message.slot).campaign();
      return;
    case 'states':
      tell({
        type: 'states',
        request: message.request,
        states: slots.map(({ state }) => state),
        connections: Array.from(live, ({ description }) => description),
        dropped: slots.reduce((sum, { dropped }) => sum + dropped, 0),
      });
      return;
    case 'memory':
      tell({ type: 'memory', request: message.request, memory: measure() });
      return;
    case 'history': {
      const { history } = slotAt(message.slot);
      tell({ type: 'history', request: message.request, lines: history });
      return;
    }
  }
});
tell({ type: 'ready' });
