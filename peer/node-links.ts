/**
 * Links for a program in Node, which has no WebRTC of its own: simple-peer on libdatachannel. This module
 * adapts libdatachannel where it behaves differently from a browser.
 */
import polyfill from 'node-datachannel/polyfill';
import SimplePeer from 'simple-peer';
import type { OpenLink } from '../shared/driver/ports.ts';
import { simplePeerLinks, type LinkOptions } from './simple-peer-links.ts';

/** A connection that simple-peer accepts as a browser's. */
class NodePeerConnection extends polyfill.RTCPeerConnection {
  /** Typed widely enough to match the browser's type. */
  declare ondatachannel: ((this: RTCPeerConnection, event: Event) => unknown) | null;
  #isDescribed = false;
  #early: Event[] = [];

  constructor(configuration?: RTCConfiguration) {
    super(configuration && adapted(configuration));
    // Not as methods: the browser's types have a second, obsolete form of these, which methods would have
    // to match.
    for (const name of ['createOffer', 'createAnswer'] as const) {
      const create = this[name].bind(this);
      Object.defineProperty(this, name, { value: () => create().then(plain) });
    }
  }

  override async setLocalDescription(description: RTCSessionDescriptionInit): Promise<void> {
    await super.setLocalDescription(description);
    // Deferred, so that the code that awaits this runs first and sends the description before any
    // candidate.
    setImmediate(() => {
      this.#isDescribed = true;
      const early = this.#early;
      this.#early = [];
      for (const event of early) super.dispatchEvent(event);
    });
  }

  /**
   * libdatachannel gathers candidates from the moment there is a channel. A browser does so once the
   * description is set, and the other end cannot use candidates that come before their offer.
   */
  override dispatchEvent(event: Event): boolean {
    if (event.type !== 'icecandidate' || this.#isDescribed) return super.dispatchEvent(event);
    this.#early.push(event);
    return true;
  }
}

/** libdatachannel writes credentials into the server's address, and reads them from there. */
function adapted(configuration: RTCConfiguration): RTCConfiguration {
  const iceServers = (configuration.iceServers ?? []).map(({ urls, username, credential }) =>
    username === undefined || credential === undefined
      ? { urls }
      : {
          urls,
          username: encodeURIComponent(username),
          credential: encodeURIComponent(credential),
        },
  );
  return { ...configuration, iceServers };
}

/** A browser's takes no arguments either. */
class NodeIceCandidate extends polyfill.RTCIceCandidate {
  constructor(candidate: RTCIceCandidateInit = {}) {
    super(candidate);
  }
}

/** Descriptions are frozen here; simple-peer writes to them. */
function plain({ type, sdp }: RTCSessionDescriptionInit): RTCSessionDescriptionInit {
  return { type, sdp: sdp ?? '' };
}

/** What simple-peer needs from a platform, for Node. */
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
