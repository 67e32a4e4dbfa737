/** Links by simple-peer, for the contract: in Node and in a page. */
import type { Instance, Options } from 'simple-peer';
import { IceServers } from '../../peer/ice-servers.ts';
import {
  simplePeerLinks,
  type LinkOptions,
  type SimplePeerConstructor,
} from '../../peer/simple-peer-links.ts';
import type { LinkGround } from './link-promises.ts';
import { untilTrue } from './real-time.ts';

/** @param SimplePeer its constructor */
export function simplePeerGround(
  SimplePeer: SimplePeerConstructor,
  platform: Pick<LinkOptions, 'wrtc'> = {},
): LinkGround {
  const made: Instance[] = [];
  /** Text is no part of a link: it is sent on the connection itself. */
  class Watched extends SimplePeer {
    constructor(options: Options = {}) {
      super(options);
      if (options.initiator === true) made.push(this);
    }
  }
  const openLink = simplePeerLinks(Watched, { iceServers: new IceServers([]), ...platform });
  return {
    openFirst: openLink,
    openSecond: openLink,
    until: untilTrue,
    sendText: (text) => {
      made.at(-1)?.send(text);
    },
  };
}
