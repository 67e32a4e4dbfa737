/** The end of the server. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { promisify } from 'node:util';
import { expect, onTestFinished, test, vi } from 'vitest';
import {
  connect,
  frame,
  peer,
  rawWebSocket,
  ringOf,
  startTestServer,
  type RawWebSocket,
} from './test-server.ts';

test('to close the server ends all clients and frees the port', async () => {
  const server = await startTestServer();
  const ring = await ringOf(server, 3);
  const visitor = await peer(server, 4);
  await server.signaling.close();

  expect(server.httpServer.listening).toBe(false);
  for (const each of [...ring, visitor])
    expect(await each.disconnected).toMatch(/^(transport close|io server disconnect)$/);
  await expect(connect(server)).rejects.toThrow();
  expect(server.warnings()).toEqual([]);
});

test('a client that does not answer, a half request and an idle connection do not hold it up', async () => {
  const server = await startTestServer();
  const silent = await rawWebSocket(server);
  silent.sendText('40');
  await silent.receive('40{"sid"');
  const mute = await rawWebSocket(server);
  const half = createConnection(server.port, '127.0.0.1');
  onTestFinished(() => {
    half.destroy();
  });
  half.write('GET / HTTP/1.1\r\nHost: ');
  await once(half, 'connect');
  await fetch(`${server.url}/healthz`);

  await server.signaling.close();
  await silent.closed;
  await mute.closed;
  expect(server.warnings()).toEqual([]);
});

test('to close it twice does no harm', async () => {
  const server = await startTestServer();
  await ringOf(server, 2);
  await Promise.all([server.signaling.close(), server.signaling.close()]);
  await server.signaling.close();
  expect(server.httpServer.listening).toBe(false);
});

/** A closing frame of WebSocket with nothing in it. */
const CLOSING = Uint8Array.of(0x88, 0x80, 0, 0, 0, 0);
const GOODBYE = frame(1, Buffer.from('420["leave"]'));

test.each<[string, (raw: RawWebSocket) => void]>([
  ['a closing frame', (raw) => raw.write(Buffer.concat([GOODBYE, CLOSING]))],
  ['the end of the connection', (raw) => raw.end(GOODBYE)],
])('a client that goes before it is answered is no breach: %s', async (_, go) => {
  const server = await startTestServer();
  const raw = await rawWebSocket(server);
  raw.sendText('40');
  await raw.receive('40{"sid"');
  go(raw);
  await raw.closed;
  const connections = promisify(server.httpServer.getConnections.bind(server.httpServer));
  raw.end(Buffer.alloc(0));
  await vi.waitFor(async () => {
    expect(await connections()).toBe(0);
  });
  expect(server.warnings()).toEqual([]);
});
