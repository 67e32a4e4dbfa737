/** The browser build, which brings along what the plain import expects of Node. */
declare module 'simple-peer/simplepeer.min.js' {
  import SimplePeer from 'simple-peer';

  export default SimplePeer;
}
