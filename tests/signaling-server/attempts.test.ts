/** What the server tells a page of the WebSockets that it has attempted. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { io } from 'socket.io-client';
import {
  handshake,
  rawWebSocket,
  refusals,
  startTestServer,
  type TestServer,
} from './test-server.ts';

async function told({ url }: TestServer, attempt: string): Promise<unknown> {
  const query = new URLSearchParams({ origin: url, attempt }).toString();
  const body: unknown = await (await fetch(`${url}/healthz?${query}`)).json();
  return body;
}

const socketPath = (attempt: string) => `EIO=4&transport=websocket&attempt=${attempt}`;

test('of one that came as an ordinary request it is told, and of no other', async () => {
  const server = await startTestServer();
  const response = await fetch(`${server.url}/socket.io/?${socketPath('mine')}`);
  expect([response.status, response.headers.get('upgrade')]).toEqual([426, 'websocket']);
  expect(await told(server, 'mine')).toMatchObject({ attempt: 'without-upgrade' });
  expect(await told(server, 'other')).toMatchObject({ attempt: null });
  expect(await refusals(server, 'no-upgrade')).toBe(1);
  const [warning] = server.warnings();
  expect(warning).toMatchObject({ from: '127.0.0.1' });
  expect(warning?.msg).toContain('pass on the headers Upgrade and Connection');
});

test('of one that is refused it is told that it came', async () => {
  const server = await startTestServer();
  const { status } = await handshake(server, { origin: 'https://foe.example' }, socketPath('mine'));
  expect(status).toBe(400);
  expect(await told(server, 'mine')).toMatchObject({ attempt: 'came' });
});

test('of one whose answer the page has not used it is told that it was accepted', async () => {
  const server = await startTestServer();
  await rawWebSocket(server, { query: socketPath('mine') });
  expect(await told(server, 'mine')).toMatchObject({ attempt: 'accepted' });
});

test('of one that has become a connection nothing is told any more', async () => {
  const server = await startTestServer();
  const socket = io(server.url, { transports: ['websocket'], query: { attempt: 'mine' } });
  onTestFinished(() => {
    socket.disconnect();
  });
  await vi.waitFor(() => {
    expect(socket.connected).toBe(true);
  });
  expect(await told(server, 'mine')).toMatchObject({ attempt: null });
});

test('what is asked where WebSockets are is told that they are here, and is no breach', async () => {
  const server = await startTestServer();
  const response = await fetch(`${server.url}/socket.io/`);
  expect([response.status, await response.text()]).toEqual([
    426,
    'only WebSockets are answered here\n',
  ]);
  expect(server.warnings()).toEqual([]);
});

test('names are kept for a while, not without end, and only short ones', async () => {
  const server = await startTestServer();
  const long = 'x'.repeat(65);
  for (const name of [long, 'first']) await fetch(`${server.url}/socket.io/?${socketPath(name)}`);
  expect(await told(server, long)).toMatchObject({ attempt: null });
  expect(await told(server, 'first')).toMatchObject({ attempt: 'without-upgrade' });
  for (let count = 0; count < 1_000; count += 50)
    await Promise.all(
      Array.from({ length: 50 }, (_, at) =>
        fetch(`${server.url}/socket.io/?${socketPath(`name${count + at}`)}`),
      ),
    );
  expect(await told(server, 'first')).toMatchObject({ attempt: null });
  expect(await told(server, 'name999')).toMatchObject({ attempt: 'without-upgrade' });
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + 11_000);
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  expect(await told(server, 'name999')).toMatchObject({ attempt: null });
});
