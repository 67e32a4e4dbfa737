/** What an attacker can do to a server without any library: raw connections, also incomplete ones. */
import { createConnection, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { WebSocket } from 'ws';

const HOST = '127.0.0.1';

/** Where an attack goes to, and the address of this computer that it comes from. */
export interface Way {
  readonly port: number;
  readonly from: string;
}

/** The way of those who attack nothing. */
export function honestWay(port: number): Way {
  return { port, from: HOST };
}

/** An address for each of many attackers, and none of the honest ones'. */
export function addressOf(number: number): string {
  return `127.0.1.${number + 1}`;
}

/** A connection that may end in any way without an error. */
export function open({ port, from }: Way): Socket {
  const socket = createConnection({ port, host: HOST, localAddress: from });
  return socket.on('error', () => undefined);
}

/** Waits until the connection has ended, at most this long, in milliseconds; then ends it. */
export async function ended(socket: Socket, most: number): Promise<void> {
  await until((done) => socket.once('close', done), most);
  socket.destroy();
}

/** Waits for the callback, at most this long, in milliseconds. */
async function until(begin: (done: () => void) => void, most: number): Promise<void> {
  const late = new AbortController();
  const called = new Promise<void>((resolve) => {
    begin(resolve);
  });
  const timedOut = pause(most, undefined, { signal: late.signal }).catch(() => undefined);
  await Promise.race([called, timedOut]);
  late.abort();
}

/** A request, any number of times. */
export function gets(path: string, times: number): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(times);
}

/** A frame of RFC 6455 with up to 125 bytes, masked with zeros. */
export function frame(opcode: number, isLast: boolean, text: string): Buffer {
  const head = [(isLast ? 0x80 : 0) | opcode, 0x80 | text.length, 0, 0, 0, 0];
  return Buffer.concat([Buffer.from(head), Buffer.from(text)]);
}

/**
 * Requests a WebSocket by hand, and opens a Socket.IO connection on it. Reads everything that comes.
 * @param onOpen called if the server accepts it
 */
export async function openRaw(way: Way, onOpen: () => void): Promise<Socket> {
  const socket = open(way).resume();
  socket.once('data', (data: Buffer) => {
    if (data.toString('latin1').startsWith('HTTP/1.1 101 ')) onOpen();
  });
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: ${HOST}\r\n` +
      'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
      `Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
  );
  await until((done) => socket.once('data', done).once('close', done), 5_000);
  socket.write(frame(1, true, '40'));
  return socket;
}

/** A client that implements as much of Socket.IO as an attack needs. */
export class Stranger {
  readonly socket: WebSocket;
  readonly #replies = new Map<number, (text: string) => void>();
  #requests = 0;
  /** The id of its session. */
  sid = '';
  /** The text of the last message with a view. */
  lastView = '';

  /** @param query added to the usual parameters */
  constructor({ port, from }: Way, query = '') {
    const url = `ws://${HOST}:${port}/socket.io/?EIO=4&transport=websocket${query}`;
    this.socket = new WebSocket(url, { perMessageDeflate: false, localAddress: from });
    this.socket.on('error', () => undefined);
    // Many answers may be waited for at a time.
    this.socket.setMaxListeners(0);
    this.socket.on('message', (data: Buffer) => {
      this.#hear(data.toString());
    });
  }

  #hear(text: string): void {
    if (text === '2') this.send('3');
    const sid = /^0\{"sid":"([^"]+)"/.exec(text)?.[1];
    if (sid !== undefined) {
      this.sid = sid;
      this.send('40');
    }
    // A question of the protocol, such as whether it is awake.
    const question = /^42(\d+)\[/.exec(text)?.[1];
    if (question !== undefined) this.send(`43${question}[]`);
    if (text.includes('"successor":{')) this.lastView = text;
    const answer = /^43(\d+)\[/.exec(text)?.[1];
    if (answer === undefined) return;
    this.#replies.get(Number(answer))?.(text);
    this.#replies.delete(Number(answer));
  }

  send(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(text);
  }

  /** Until it is connected or rejected. */
  async connected(): Promise<void> {
    await until((done) => {
      this.socket.once('close', done);
      this.socket.on('message', (data: Buffer) => {
        if (data.toString().startsWith('40')) done();
      });
    }, 5_000);
  }

  /** Sends an event and does not wait. */
  emit(event: string, ...parameters: readonly unknown[]): void {
    this.send(`42${(this.#requests += 1)}${JSON.stringify([event, ...parameters])}`);
  }

  /** Sends an event and waits for its answer, or the end. */
  ask(event: string, ...parameters: readonly unknown[]): Promise<string> {
    return this.askText(JSON.stringify([event, ...parameters]), 5_000);
  }

  /** The same of an event that is JSON already; waits at most this long, in milliseconds. */
  async askText(content: string, most: number): Promise<string> {
    const number = (this.#requests += 1);
    const over = new AbortController();
    let reply = '';
    await until((done) => {
      this.socket.once('close', done);
      over.signal.addEventListener('abort', () => this.socket.off('close', done));
      this.#replies.set(number, (text) => {
        reply = text;
        done();
      });
      this.send(`42${number}${content}`);
    }, most);
    over.abort();
    return reply;
  }

  get isOpen(): boolean {
    return this.socket.readyState === WebSocket.OPEN;
  }

  /** Waits until the other end has ended it, at most this long, in milliseconds; then ends it. */
  async ended(most: number): Promise<void> {
    if (this.socket.readyState !== WebSocket.CLOSED)
      await until((done) => this.socket.once('close', done), most);
    this.socket.terminate();
  }
}
