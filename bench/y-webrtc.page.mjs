/* global document, location, SIGNALING_PORT -- in what runs in a page */
/** A mesh of y-webrtc: peers share the set of their ids, and the highest one leads. */
import { WebrtcProvider } from 'y-webrtc';
import * as Y from 'yjs';

const id = crypto.randomUUID();
const show = (name, words) => {
  const element = document.querySelector(name);
  if (element.textContent !== words) element.textContent = words;
};
show('.own', `This tab is ${id}`);

const doc = new Y.Doc();
const ids = doc.getMap('ids');
ids.observe(() => {
  const leader = [...ids.keys()].reduce((a, b) => (a > b ? a : b));
  show('.headline', `${leader === id ? 'This tab' : leader} leads`);
});
ids.set(id, true);
new WebrtcProvider(new URLSearchParams(location.search).get('room'), doc, {
  signaling: [`ws://${location.hostname}:${SIGNALING_PORT}`],
  peerOpts: { config: { iceServers: [] } },
});
