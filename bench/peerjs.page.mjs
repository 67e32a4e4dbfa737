/* global document, location, SIGNALING_PORT -- in what runs in a page */
/** A ring over data connections of PeerJS, with the election of shared/ as it is. */
import { Peer } from 'peerjs';
import { decisionOf, initialElection } from '../shared/election/state.ts';
import { step } from '../shared/election/step.ts';

/** What is waited for (SPEC.md, R7), in milliseconds. */
const WAITS = { leader: 3_000, return: 3_000, lap: 1_000 };

const id = crypto.randomUUID();
const show = (name, words) => {
  const element = document.querySelector(name);
  if (element.textContent !== words) element.textContent = words;
};
show('.own', `This tab is ${id}`);

let election = initialElection({ priority: 1, id }, 'highest');
let timer;
/** The peer alone in its ring is its own successor. */
let isAlone = false;
/** The link to the successor, and the one that is to replace it. */
let out = null;
let next = null;

function take(input) {
  const { state, effects } = step(election, input);
  election = state;
  for (const effect of effects)
    if (effect.type === 'send') send(effect.message);
    else if (effect.type === 'wait') wait(effect.until);
  const leader = decisionOf(state)?.leader.id;
  show(
    '.headline',
    leader === undefined ? 'Electing a leader …' : `${leader === id ? 'This tab' : leader} leads`,
  );
}

function send(message) {
  if (isAlone) queueMicrotask(() => take({ type: 'receive', message }));
  else if (out?.open) out.send(message);
}

function wait(until) {
  clearTimeout(timer);
  const luck = until === 'leader' ? 1 + Math.random() : 1;
  timer = setTimeout(() => take({ type: 'timeout' }), WAITS[until] * luck);
}

/** Links to the successor, and leaves the last one once the new one is there. */
function aim(successor) {
  next?.close();
  next = null;
  isAlone = successor === id;
  if (isAlone) {
    take({ type: 'new-successor' });
    return;
  }
  const link = (next = peer.connect(successor, { reliable: true }));
  link.on('data', (hello) => {
    if (link !== next) return;
    out?.close();
    out = link;
    next = null;
    take(hello);
    take({ type: 'new-successor' });
  });
}

const peer = new Peer(id, {
  host: location.hostname,
  port: SIGNALING_PORT,
  config: { iceServers: [] },
});
peer.on('connection', (link) => {
  link.on('open', () => {
    const { term, removed } = election;
    link.send({ type: 'hello', term, decision: decisionOf(election), removed });
  });
  link.on('data', (message) => {
    take({ type: 'receive', message });
  });
});
peer.on('open', () => {
  const broker = new WebSocket(`ws://${location.host}/?${id}`);
  broker.onmessage = ({ data }) => {
    aim(JSON.parse(data).successor);
  };
});
