/** A client that receives without end, or sends without end, costs the server no more than its share. */
import { describe, expect, test, vi } from 'vitest';
import {
  ask,
  connect,
  disconnected,
  joinRequest,
  member,
  rawWebSocket,
  refusals,
  startTestServer,
  type RawWebSocket,
  type TestServer,
} from './test-server.ts';

/** How long, and how often, a condition is checked, in milliseconds. */
const WAIT = { timeout: 5_000, interval: 2 };

const cutOffs = (server: TestServer) => refusals(server, 'unread');

/** A member that reads nothing from now on. */
async function deafMember(server: TestServer, number: number): Promise<RawWebSocket> {
  const raw = await rawWebSocket(server);
  raw.sendText('40');
  await raw.receive('40{"sid"');
  raw.sendText(`420["join",${JSON.stringify(joinRequest(number))}]`);
  await raw.receive('430[{"ok":true');
  raw.pause();
  return raw;
}

const isMember = (server: TestServer, number: number) =>
  server.signaling.peers(joinRequest(number).room).includes(joinRequest(number).id);

async function expectGone(server: TestServer): Promise<void> {
  await vi.waitFor(() => {
    expect(isMember(server, 2)).toBe(false);
  }, WAIT);
}

// The systems at both ends buffer some megabytes before anything is left with the server.
describe('a member that does not read is cut off and is no member any more', () => {
  test('where its neighbour sends it signals', { timeout: 30_000 }, async () => {
    const server = await startTestServer();
    const neighbour = await member(server, 1);
    await deafMember(server, 2);
    const text = 'x'.repeat(16_000);
    let isTaken = true;
    for (let sent = 0; sent < 3_000 && isTaken; sent += 1)
      isTaken = (await neighbour.signal(joinRequest(2).id, 'successor', text)).ok;
    await expectGone(server);
    expect(await cutOffs(server)).toBe(1);
    expect(server.warnings()).toMatchObject([{ msg: 'does not read what is sent to it' }]);
    expect(neighbour.connected).toBe(true);
  });

  test('where it asks for answers of other layers', { timeout: 30_000 }, async () => {
    const server = await startTestServer();
    await member(server, 1);
    const raw = await deafMember(server, 2);
    const bytes = Buffer.alloc(125);
    for (let sent = 0; sent < 150_000 && isMember(server, 2); sent += 500)
      await Promise.all(Array.from({ length: 500 }, () => raw.ping(bytes)));
    await expectGone(server);
  });
});

test('a client that reads may be sent any amount', { timeout: 30_000 }, async () => {
  const server = await startTestServer();
  const [one, other] = [await member(server, 1), await member(server, 2)];
  for (let sent = 0; sent < 600; sent += 1)
    expect(await one.signal(other.id, 'successor', 'x'.repeat(16_000))).toEqual({ ok: true });
  await other.settle();
  expect(other.signals).toHaveLength(600);
  expect(await cutOffs(server)).toBe(0);
});

test('requests beyond what a peer has to make are refused, and end the connection', async () => {
  const server = await startTestServer();
  const socket = await connect(server);
  expect(await ask(socket, 'join', joinRequest(1))).toMatchObject({ ok: true });
  const ended = disconnected(socket);
  const refused: unknown[] = [];
  let answered = 0;
  // Eight seconds' worth more than it may ask at once: no pause of this machine makes up for that.
  for (let asked = 0; asked < 12_000; asked += 1)
    socket.emit('lookup', joinRequest(1).id, (reply: { readonly ok: boolean }) => {
      answered += 1;
      if (!reply.ok) refused.push(reply);
    });
  expect(await ended).toBe('io server disconnect');
  expect(answered).toBeGreaterThanOrEqual(4_000);
  expect(refused).toHaveLength(21);
  expect(refused[0]).toMatchObject({
    code: 'malformed',
    message: 'more requests than a peer has to make',
  });
});

test('requests that move places are refused sooner, and end the connection', async () => {
  const server = await startTestServer();
  const socket = await connect(server);
  const ended = disconnected(socket);
  const { version, room, id, secret } = joinRequest(1);
  const request = { version, room, id, secret, ticket: 'made up', removed: [] };
  let taken = 0;
  for (let time = 0; time < 300; time += 1) {
    socket.emit('resume', request, (reply: { readonly code?: string }) => {
      if (reply.code === 'place-lost') taken += 1;
    });
    socket.emit('leave', () => undefined);
  }
  expect(await ended).toBe('io server disconnect');
  expect(taken).toBeGreaterThanOrEqual(30);
  // It gets two more a second; 300 would take minutes.
  expect(taken).toBeLessThan(100);
});
