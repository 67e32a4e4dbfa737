/**
 * Links for a program in Node, which has no WebRTC of its own: simple-peer on libdatachannel. What
 * that lacks of a browser's manners is put right here.
 */
import polyfill from 'node-datachannel/polyfill';
import SimplePeer from 'simple-peer';
import type { OpenLink } from '../shared/driver/ports.ts';
import { simplePeerLinks, type LinkOptions } from './simple-peer-links.ts';

/** A connection that simple-peer can take for a browser's. */
class NodePeerConnection extends polyfill.RTCPeerConnection {
  /** As general as it takes to be a browser's to the compiler. */
  declare ondatachannel: ((this: RTCPeerConnection, event: Event) => unknown) | null;
  #isDescribed = false;
  #early: Event[] = [];

  constructor(configuration?: RTCConfiguration) {
    super(configuration);
    // Not as methods: a browser's have another, forgotten form, which their types are to match.
    for (const name of ['createOffer', 'createAnswer'] as const) {
      const create = this[name].bind(this);
      Object.defineProperty(this, name, { value: () => create().then(plain) });
    }
  }

  override async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    await super.setLocalDescription(description);
    // Once whoever awaits this has had its turn, and with it given out the description.
    setImmediate(() => {
      this.#isDescribed = true;
      const early = this.#early;
      this.#early = [];
      for (const event of early) super.dispatchEvent(event);
    });
  }

  /**
   * libdatachannel gathers candidates from the moment there is a channel. A browser does so once the
   * description is set, and candidates that come before their offer are of no use to the other end.
   */
  override dispatchEvent(event: Event): boolean {
    if (event.type !== 'icecandidate' || this.#isDescribed) return super.dispatchEvent(event);
    this.#early.push(event);
    return true;
  }
}

/** A browser's takes nothing too. */
class NodeIceCandidate extends polyfill.RTCIceCandidate {
  constructor(candidate: RTCIceCandidateInit = {}) {
    super(candidate);
  }
}

/** Descriptions are sealed here; simple-peer writes to them. */
function plain({ type, sdp }: RTCSessionDescriptionInit): RTCSessionDescriptionInit {
  return { type, sdp: sdp ?? '' };
}

/** What simple-peer asks of a platform, for Node. */
export const nodeWebRtc = {
  RTCPeerConnection: NodePeerConnection,
  RTCSessionDescription: polyfill.RTCSessionDescription,
  RTCIceCandidate: NodeIceCandidate,
};

/**
 * Makes links in Node.
 * @param options where `wrtc` is given, it is used in place of {@link nodeWebRtc}
 */
export function nodeLinks(options: LinkOptions): OpenLink {
  return simplePeerLinks(SimplePeer, { wrtc: nodeWebRtc, ...options });
}
