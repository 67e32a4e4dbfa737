/** How a projector page asks for its room, with a server that refuses and goes away. */
import { EventEmitter } from 'node:events';
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SIGNALING_VERSION } from '../../shared/protocol/signaling.ts';
import { watchRoom } from '../../web/watch/connection.ts';
import { defined, roomName } from '../support.ts';

type Reply = (error: Error | null, input?: unknown) => void;

/** What the page has of the library, without the network. */
class FakeSocket {
  readonly #events = new EventEmitter();
  /** Requests that are not answered. */
  readonly asked: { request: unknown; reply: Reply }[] = [];
  connected = false;
  connects = 0;
  readonly io = { on: () => undefined };

  on(name: string, listener: (...args: unknown[]) => void): void {
    this.#events.on(name, listener);
  }

  timeout() {
    return {
      emit: (_: 'watch', request: unknown, reply: Reply) => {
        this.asked.push({ request, reply });
      },
    };
  }

  connect(): void {
    this.connects += 1;
  }

  disconnect(): void {
    this.close('io client disconnect');
  }

  /** The server sends something. */
  tell(name: 'order' | 'traces', input: unknown): void {
    this.#events.emit(name, input, () => undefined);
  }

  open(): void {
    this.connected = true;
    this.#events.emit('connect');
  }

  /** The library gives up what is not answered yet. */
  close(reason: string): void {
    this.connected = false;
    this.#events.emit('disconnect', reason);
    for (const { reply } of this.asked.splice(0)) reply(new Error('disconnected'));
  }

  /** An attempt to connect fails. */
  fail(): void {
    this.#events.emit('connect_error', new Error('websocket error'));
  }

  answer(input: unknown): void {
    defined(this.asked.shift()).reply(null, input);
  }
}

const REFUSAL = { ok: false, code: 'room-full', message: 'there are too many' };
const ORDER = { ok: true, order: { peers: [], policy: null } };
const A_LONG_TIME = 60_000;

let socket: FakeSocket;
let problem: string | null;
let isReloadOffered: boolean;

vi.mock('socket.io-client', () => ({ io: () => socket }));

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('location', new URL('http://ring.test/watch'));
  socket = new FakeSocket();
  watchRoom(roomName('lobby'), {
    onOrder: () => undefined,
    onTraces: () => undefined,
    onProblem: (given, helps) => {
      problem = given;
      isReloadOffered = helps === 'reload';
    },
  });
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

// Other files run in the same process.
afterAll(() => {
  vi.doUnmock('socket.io-client');
  vi.resetModules();
});

test.each([
  ['refused', REFUSAL],
  ['refused for a reason that it does not know', { ...REFUSAL, code: 'of-a-later-version' }],
])('one that is %s says so and asks again', (_, refusal) => {
  socket.open();
  expect(socket.asked[0]?.request).toEqual({
    ...{ version: SIGNALING_VERSION, room: 'lobby', key: null, host: null },
  });
  socket.answer(refusal);
  expect(problem).toMatch('there are too many');
  vi.advanceTimersByTime(A_LONG_TIME);
  expect(socket.asked).toHaveLength(1);
  socket.answer(ORDER);
  expect(problem).toBe(null);
  vi.advanceTimersByTime(A_LONG_TIME);
  expect(socket.asked).toHaveLength(0);
});

test('one that is put off says so in other words, and asks again', () => {
  socket.open();
  socket.answer({ ok: false, code: 'try-again', message: 'too many watch' });
  expect(problem).toBe('The server puts this page off: too many watch. Asking again.');
  vi.advanceTimersByTime(A_LONG_TIME);
  expect(socket.asked).toHaveLength(1);
});

test('one that was refused and has another connection by then asks once', () => {
  socket.open();
  socket.answer(REFUSAL);
  socket.close('transport close');
  socket.open();
  socket.answer(ORDER);
  vi.advanceTimersByTime(A_LONG_TIME);
  expect(socket.asked).toHaveLength(0);
  expect(problem).toBe(null);
});

test('one whose question is still open does not ask beside it', () => {
  socket.open();
  socket.answer(REFUSAL);
  socket.close('transport close');
  socket.open();
  vi.advanceTimersByTime(A_LONG_TIME);
  expect(socket.asked).toHaveLength(1);
});

test('one that the server sends away connects again, and asks only then', () => {
  socket.open();
  socket.answer(REFUSAL);
  socket.close('io server disconnect');
  vi.advanceTimersByTime(A_LONG_TIME);
  expect(socket.connects).toBe(1);
  expect(socket.asked).toHaveLength(0);
});

test('one of another version than the server says so, offers to reload, and asks no more', () => {
  socket.open();
  expect(isReloadOffered).toBe(false);
  socket.answer({ ok: false, code: 'version', message: 'different versions' });
  expect(problem).toMatch('This page and the server have different versions. Reload it');
  expect(isReloadOffered).toBe(true);
  expect(socket.connected).toBe(false);
  vi.advanceTimersByTime(A_LONG_TIME);
  expect([socket.asked.length, socket.connects]).toEqual([0, 0]);
  expect(problem).toMatch('different versions');
});

test.each([
  ['order', { peers: [7], policy: null }],
  ['traces', { traces: [{ peer: 'x' }], missed: 0 }],
] as const)('one that cannot read its %s says so, and offers to reload', (name, input) => {
  socket.open();
  socket.answer(ORDER);
  expect(problem).toBe(null);
  socket.tell(name, input);
  expect(problem).toMatch(
    /^This page cannot read a message of the server, so something is missing: /,
  );
  expect(isReloadOffered).toBe(true);
});

test('one whose connection is lost says that no WebSocket can be opened only once two have failed', async () => {
  vi.stubGlobal('fetch', () => Promise.resolve(Response.json({ status: 'ok' })));
  socket.open();
  socket.close('transport close');
  await vi.advanceTimersByTimeAsync(0);
  expect(problem).toMatch('The server answers over HTTP. It keeps trying.');
  socket.fail();
  socket.fail();
  await vi.advanceTimersByTimeAsync(0);
  expect(problem).toMatch('but no WebSocket to it can be opened');
  socket.open();
  socket.answer(ORDER);
  expect(problem).toBe(null);
});
