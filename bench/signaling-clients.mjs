/**
 * Peers that only signal, as each server wants it: a newcomer connects, gets its place, offers a link to each
 * of two neighbours, and each of these answers. They make no links, and cost the measuring process little.
 */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';

/** As long as a session description of a data channel. */
const SDP = 'x'.repeat(500);
const offer = (link) => ({ link, signals: [{ type: 'offer', sdp: SDP }] });
const answer = (link) => ({ link, signals: [{ type: 'answer', sdp: SDP }] });

const LINKS = { successor: 1, predecessor: 2 };

/** @param {string} url of a server */
function open(url, path) {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${path}`, {
    perMessageDeflate: false,
    skipUTF8Validation: true,
  });
  return socket;
}

/** A client of Socket.IO with as much of it as is needed here. */
class SocketIoClient {
  id = randomUUID();
  views = 0;
  /** Answers that came to its own offers. */
  answers = 0;
  onAnswer = () => undefined;
  #socket;
  #requests = 0;
  #waiting = new Map();
  #opened;

  constructor(url) {
    this.#socket = open(url, 'socket.io/?EIO=4&transport=websocket');
    this.#opened = new Promise((resolve, reject) => {
      this.#socket.on('error', reject);
      this.#socket.on('message', (data) => this.#hear(data.toString(), resolve));
    });
  }

  #hear(text, opened) {
    if (text === '2') this.#socket.send('3');
    else if (text.startsWith('0')) this.#socket.send('40');
    else if (text.startsWith('40')) opened();
    else if (text.startsWith('43')) {
      const at = text.indexOf('[');
      const number = Number(text.slice(2, at));
      this.#waiting.get(number)?.(JSON.parse(text.slice(at))[0]);
      this.#waiting.delete(number);
    } else if (text.startsWith('42["view"')) this.views += 1;
    else if (text.startsWith('42["signal"')) this.#take(JSON.parse(text.slice(2))[1]);
  }

  #take({ from, edge, link, signals }) {
    if (signals[0].type === 'answer') {
      this.answers += 1;
      this.onAnswer();
    } else void this.ask('signal', { to: from, edge, ...answer(link) });
  }

  ask(event, ...parameters) {
    this.#requests += 1;
    const number = this.#requests;
    this.#socket.send(`42${number}${JSON.stringify([event, ...parameters])}`);
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }

  opened() {
    return this.#opened;
  }

  end() {
    this.#socket.terminate();
  }
}

/** Asks; whatever the server refuses would measure something else. */
async function must(asked) {
  const reply = await asked;
  if (!reply.ok) throw new Error(`refused: ${JSON.stringify(reply)}`);
  return reply;
}

class Ours extends SocketIoClient {
  /** @param {string} room */
  async join(room, version) {
    await this.opened();
    const offers = { successor: offer(LINKS.successor), predecessor: offer(LINKS.predecessor) };
    const place = { room, id: this.id, secret: randomUUID(), policy: 'highest', key: null };
    const { view } = await must(this.ask('join', { version, ...place, offers }));
    const others = new Set([view.successor.id, view.predecessor.id]);
    others.delete(this.id);
    return others.size === 0 ? 0 : 1;
  }

  async settle() {
    await must(this.ask('settle'));
  }

  async leave() {
    await this.ask('leave');
    this.end();
  }
}

class Bare extends SocketIoClient {
  async join(_room, _version, neighbours) {
    await this.opened();
    await must(this.ask('join', { id: this.id }));
    for (const [at, { id }] of neighbours.entries()) {
      const edge = at === 0 ? 'successor' : 'predecessor';
      await must(this.ask('signal', { to: id, edge, ...offer(LINKS[edge]) }));
    }
    return Math.min(1, neighbours.length);
  }

  settle() {}

  leave() {
    this.end();
  }
}

class PeerJs {
  id = randomUUID();
  views = 0;
  answers = 0;
  onAnswer = () => undefined;
  #socket;

  constructor(url) {
    this.#socket = open(url, `peerjs?key=peerjs&id=${this.id}&token=${this.id}&version=1.5.5`);
    this.#socket.on('message', (data) => {
      const { type, src, payload } = JSON.parse(data.toString());
      if (type === 'OFFER') this.#send('ANSWER', src, payload);
      if (type !== 'ANSWER') return;
      this.answers += 1;
      this.onAnswer();
    });
  }

  #send(type, dst, payload) {
    this.#socket.send(JSON.stringify({ type, dst, payload }));
  }

  async join(_room, _version, neighbours) {
    // The server says that it is open, as its first message.
    await once(this.#socket, 'message');
    for (const { id } of neighbours) this.#send('OFFER', id, { sdp: SDP });
    return Math.min(1, neighbours.length);
  }

  settle() {}

  leave() {
    this.#socket.terminate();
  }
}

export const CLIENTS = { ours: Ours, floor: Bare, peerjs: PeerJs };
