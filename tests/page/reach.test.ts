/** The requests to a server that no WebSocket reaches, and the conclusions from the answers. */
import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { reachText, ReachWatch, readReach, type Reach } from '../../web/reach.ts';

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

const ANSWER = { type: 'answer', arrival: null, diversion: null } as const;
const SILENCE: Reach = { type: 'silence' };
const FAILED: Reach = { ...ANSWER, type: 'no-websocket', ended: 'failed' };
const UNANSWERED: Reach = { ...ANSWER, type: 'no-websocket', ended: 'unanswered' };

test.each<[number, unknown, Reach]>([
  [200, { status: 'ok' }, ANSWER],
  [200, { status: 'ok', allowsOrigin: true, host: 'a' }, ANSWER],
  [200, { status: 'ok', allowsOrigin: true, attempt: null }, ANSWER],
  [200, { status: 'ok', allowsOrigin: true, attempt: 'came' }, { ...ANSWER, arrival: 'came' }],
  [200, { status: 'ok', allowsOrigin: true, attempt: 'went' }, ANSWER],
  [200, { status: 'ok', allowsOrigin: false, host: 'a' }, { type: 'wrong-origin', host: 'a' }],
  [200, { status: 'ok', allowsOrigin: false, host: 7 }, { type: 'wrong-origin', host: '' }],
  [200, { status: 'ok', allowsHost: true, allowsOrigin: true, host: 'a' }, ANSWER],
  [
    200,
    { status: 'ok', allowsHost: false, allowsOrigin: true, host: 'a' },
    { type: 'wrong-host', host: 'a' },
  ],
  [200, { status: 'ok', allowsOrigin: true, full: null }, ANSWER],
  [200, { status: 'ok', allowsOrigin: true, full: 'server' }, { type: 'full', of: 'server' }],
  [200, { status: 'ok', allowsOrigin: true, full: 'network' }, { type: 'full', of: 'network' }],
  [200, { status: 'ok', full: 'moon' }, ANSWER],
  [200, { status: 'fine' }, { type: 'stranger', status: 200 }],
  [200, null, { type: 'stranger', status: 200 }],
  [502, { status: 'ok' }, { type: 'stranger', status: 502 }],
])('status %i with %o is %o', (status, body, reach) => {
  expect(readReach(status, body)).toEqual(reach);
});

test.each([
  ['server', 'takes no more connections at the moment'],
  ['network', 'too many connections from your network at the moment'],
] as const)('that the %s is full is told in words', (of, words) => {
  expect(reachText({ type: 'full', of }, { host: 'a', origin: 'http://a' })).toContain(words);
});

test('a lost server is asked every five seconds until it is found, and what comes later is not told', async () => {
  const told: (Reach | null)[] = [];
  const answers: ((reach: Reach) => void)[] = [];
  const watch = new ReachWatch(
    (reach) => told.push(reach),
    () => new Promise((resolve) => answers.push(resolve)),
  );
  watch.found();
  watch.lost();
  watch.lost();
  expect(answers).toHaveLength(1);
  answers[0]?.({ type: 'silence' });
  await vi.advanceTimersByTimeAsync(4_999);
  expect(answers).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(answers).toHaveLength(2);
  watch.found();
  answers[1]?.(ANSWER);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toEqual([{ type: 'silence' }, null]);
  expect(answers).toHaveLength(2);
});

/** A watch whose server gives these answers, one after the other; what it has reported. */
function watchOf(...answers: readonly Reach[]): { watch: ReachWatch; told: (Reach | null)[] } {
  const told: (Reach | null)[] = [];
  const left = [...answers];
  const watch = new ReachWatch(
    (reach) => told.push(reach),
    () => Promise.resolve(left.shift() ?? SILENCE),
  );
  return { watch, told };
}

const soon = () => vi.advanceTimersByTimeAsync(0);

test('that no WebSocket can be opened is told once two have failed while the server answered over HTTP', async () => {
  const { watch, told } = watchOf(ANSWER, ANSWER, ANSWER);
  watch.lost();
  // The loss itself, before anything was found out.
  watch.failed();
  await soon();
  watch.failed();
  await soon();
  expect(told).toEqual([ANSWER]);
  watch.failed();
  await soon();
  expect(told).toEqual([ANSWER, FAILED]);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(told).toEqual([ANSWER, FAILED, FAILED]);
});

test('that a WebSocket is not answered is told as soon as the server answers over HTTP, until it ends', async () => {
  const { watch, told } = watchOf(ANSWER, ANSWER, ANSWER, ANSWER);
  watch.unanswered();
  watch.lost();
  await soon();
  expect(told).toEqual([UNANSWERED]);
  watch.found();
  watch.lost();
  await soon();
  expect(told).toEqual([UNANSWERED, null, ANSWER]);
  watch.unanswered();
  watch.unanswered();
  await soon();
  expect(told.slice(3)).toEqual([UNANSWERED]);
  watch.failed();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(told.slice(4)).toEqual([ANSWER]);
});

test('that one came as an ordinary request is told at once', async () => {
  const arrival = 'without-upgrade';
  const { watch, told } = watchOf({ ...ANSWER, arrival });
  watch.lost();
  await soon();
  expect(told).toEqual([{ ...FAILED, arrival }]);
});

test('what is where the WebSockets are is asked once they fail', async () => {
  const asked: boolean[] = [];
  const watch = new ReachWatch(
    () => undefined,
    (isFailing) => {
      asked.push(isFailing);
      return Promise.resolve(ANSWER);
    },
  );
  watch.lost();
  await soon();
  watch.failed();
  watch.failed();
  await soon();
  watch.unanswered();
  await soon();
  expect(asked).toEqual([false, true, false]);
});

const DIVERSION = { address: 'https://a/socket.io/', status: 403 };

test.each<[Reach, RegExp]>([
  [{ ...FAILED, arrival: 'without-upgrade' }, /came to it as an ordinary request.* Upgrade and/],
  [{ ...FAILED, arrival: 'came' }, /has not accepted the WebSocket/],
  [
    { ...UNANSWERED, arrival: 'accepted' },
    /its answer to the WebSocket of this page does not come/,
  ],
  [UNANSWERED, /the WebSocket of this page is not answered\. It has not come to the server/],
  [FAILED, /no WebSocket to it can be opened: .* ended on its way\. It has not come to the server/],
  [
    { ...FAILED, diversion: DIVERSION },
    /https:\/\/a\/socket\.io\/ answers with status 403, and not as the server does/,
  ],
])('%o is told in words', (reach, words) => {
  const text = reachText(reach, { host: 'a', origin: 'https://a' });
  expect(text).toMatch(/^The server answers over HTTP, but /);
  expect(text).toMatch(words);
});

test('of a server that was gone while WebSockets failed it is not told', async () => {
  const { watch, told } = watchOf(ANSWER, SILENCE, ANSWER);
  watch.lost();
  await soon();
  watch.failed();
  watch.failed();
  await soon();
  watch.failed();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(told).toEqual([ANSWER, SILENCE, ANSWER]);
});

test('what failed before the server was found counts no more once it is lost again', async () => {
  const { watch, told } = watchOf(ANSWER, ANSWER);
  watch.lost();
  await soon();
  watch.failed();
  watch.found();
  watch.lost();
  watch.failed();
  await soon();
  watch.failed();
  await soon();
  expect(told).toEqual([ANSWER, null, ANSWER]);
});

test.each<[string, RequestListener, Reach]>([
  ['is no JSON', (_, response) => response.end('hello'), { type: 'stranger', status: 200 }],
  [
    'breaks off',
    (_, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('{', () => response.destroy());
    },
    { type: 'silence' },
  ],
])('of an answer that %s it is told what it is', async (_, answer, reach) => {
  vi.useRealTimers();
  const server = createServer(answer).listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
    vi.unstubAllGlobals();
  });
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const origin = `http://127.0.0.1:${address.port}`;
  const fetchHere = fetch;
  vi.stubGlobal('location', { origin });
  vi.stubGlobal('fetch', (path: string, options: RequestInit) =>
    fetchHere(new URL(path, origin), options),
  );
  const told = await new Promise<Reach | null>((resolve) => {
    const watch = new ReachWatch((found) => {
      resolve(found);
      if (found !== null) watch.found();
    });
    watch.lost();
  });
  expect(told).toEqual(reach);
});
