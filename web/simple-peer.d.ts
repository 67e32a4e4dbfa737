/** The browser build, which brings what the plain import expects of Node. */
declare module 'simple-peer/simplepeer.min.js' {
  import type { SimplePeerConstructor } from '../peer/simple-peer-links.ts';

  const SimplePeer: SimplePeerConstructor;
  export default SimplePeer;
}
