/** The contract of links, for a page to check: both ends are in it. */
import SimplePeer from 'simple-peer';
import { checkLink, type LinkPromise } from './link-promises.ts';
import { simplePeerGround } from './simple-peer-ground.ts';

declare global {
  /** Of this page. Rejects where the promise is not kept. */
  var checkInPage: (promise: LinkPromise) => Promise<void>;
}

globalThis.checkInPage = (promise) => checkLink(promise, simplePeerGround(SimplePeer));
