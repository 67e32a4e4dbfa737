import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { byRole, openTabs, setStage, Tab, until, untilOneRing } from './support.ts';

let tabs: Tab[];
const stage = setStage({}, () => tabs);

beforeEach(() => {
  tabs = [];
});

async function openRing(count: number): Promise<void> {
  tabs = await openTabs(stage.browser, count, stage.url);
  await untilOneRing(tabs);
}

test('a tab alone leads a ring of one', async () => {
  await openRing(1);
  const [values] = await untilOneRing(tabs);
  expect(values?.['successor-id']).toBe(values?.['own-id']);
  expect(values?.['predecessor-id']).toBe(values?.['own-id']);
});

/** What a page says to the server and hears, the first characters of each frame, as long as it is open. */
async function listen(tab: Tab): Promise<{ opened: string[]; frames: string[] }> {
  const session = await tab.page.createCDPSession();
  const opened: string[] = [];
  session.on('Network.webSocketCreated', (event) => opened.push(event.url));
  const frames: string[] = [];
  const note = (way: string, data: string) => frames.push(`${way} ${data.slice(0, 8)}`);
  session.on('Network.webSocketFrameSent', ({ response }) => note('>', response.payloadData));
  session.on('Network.webSocketFrameReceived', ({ response }) => note('<', response.payloadData));
  await session.send('Network.enable');
  return { opened, frames };
}

/** Its namespace is asked for once, before the server has said anything, and then to join. */
function expectToJoin(frames: readonly string[]): void {
  expect(frames.slice(0, 4)).toEqual(['> 40', '< 0{"sid":', '< 40{"sid"', '> 420["joi']);
  expect(frames.filter((frame) => frame === '> 40')).toHaveLength(1);
}

/** How to wait for something where frames are held back: puppeteer would look at each. */
const WITHOUT_FRAMES = { polling: 'mutation' } as const;

/** Has the page note, on its root, how far it was when it made its first peer connection. */
function noteFirstConnection(tab: Tab): Promise<unknown> {
  return tab.page.evaluateOnNewDocument(() => {
    window.RTCPeerConnection = class extends RTCPeerConnection {
      constructor(configuration?: RTCConfiguration) {
        super(configuration);
        document.documentElement.dataset['then'] ??= document.readyState;
      }
    };
  });
}

async function untilFirstConnection(tab: Tab): Promise<unknown> {
  const then = await tab.page.waitForFunction(
    () => document.documentElement.dataset['then'],
    WITHOUT_FRAMES,
  );
  return then.jsonValue();
}

test('a tab makes one connection to the server, and says goodbye in two ways', async () => {
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  const { opened, frames } = await listen(tab);
  const said: string[] = [];
  tab.page.on('request', (request) => {
    if (request.method() === 'POST') said.push(new URL(request.url()).pathname);
  });
  await tab.page.goto(stage.url);
  await untilOneRing([tab]);
  expect(opened.map((url) => new URL(url).searchParams.get('room'))).toEqual(['lobby']);
  expectToJoin(frames);
  await tab.click('Leave ring');
  await until(() => {
    expect(said).toEqual(['/leave']);
    expect(stage.server.signaling.size.peers).toBe(0);
  });
});

test('the page counts as loaded before its program makes a first connection', async () => {
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  await noteFirstConnection(tab);
  await tab.page.goto(stage.url);
  expect(await untilFirstConnection(tab)).toBe('complete');
});

test('the page with its program is all ASCII, which a browser reads faster, and kept for the next time', async () => {
  const response = await fetch(stage.url);
  const page = await response.text();
  expect(page).toContain('\\u2026');
  expect(/[\u0080-\uffff]/.exec(page)).toBeNull();
  const headers = { 'if-none-match': response.headers.get('etag') ?? '' };
  expect((await fetch(stage.url, { headers })).status).toBe(304);
});

/** Has the page do what it would do in a frame, or in a second, at an event of that name instead. */
function holdFrames(tab: Tab, isHidden: boolean): Promise<unknown> {
  return tab.page.evaluateOnNewDocument((isHidden) => {
    Object.defineProperty(document, 'hidden', { get: () => isHidden });
    window.requestAnimationFrame = (call) => {
      addEventListener('frame', () => {
        call(0);
      });
      return 0;
    };
    const later = window.setTimeout.bind(window);
    Reflect.set(window, 'setTimeout', (call: () => void, wait: number) => {
      if (wait !== 1_000) return later(call, wait);
      document.documentElement.dataset['waits'] = 'true';
      addEventListener('second', call);
      return 0;
    });
  }, isHidden);
}

test.each(['frame', 'second', 'visibilitychange'])(
  'the program starts once its page is drawn, or will not be: upon a %s',
  async (reason) => {
    const tab = await Tab.make(stage.browser);
    tabs.push(tab);
    await noteFirstConnection(tab);
    await holdFrames(tab, false);
    await tab.page.goto(stage.url);
    await tab.page.waitForFunction(() => document.documentElement.dataset['waits'], WITHOUT_FRAMES);
    expect(
      await tab.page.evaluate((reason) => {
        const before = document.documentElement.dataset['then'] ?? 'not begun';
        document.dispatchEvent(new Event(reason, { bubbles: true }));
        return before;
      }, reason),
    ).toBe('not begun');
    expect(await untilFirstConnection(tab)).toBe('complete');
  },
);

test('the program of a page that nobody sees waits for nothing', async () => {
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  await noteFirstConnection(tab);
  await holdFrames(tab, true);
  await tab.page.goto(stage.url);
  expect(await untilFirstConnection(tab)).toBe('complete');
});

test('a page tells with its connection which room it will join', async () => {
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  const { opened } = await listen(tab);
  await tab.page.goto(new URL('?room=elsewhere', stage.url).href);
  await untilOneRing([tab]);
  expect(opened.map((url) => new URL(url).searchParams.get('room'))).toEqual(['elsewhere']);
});

test('a connection that opens after the program has begun is asked the same', async () => {
  // A way to the server on which no connection is upgraded until it may be.
  let open: () => void = () => undefined;
  const mayOpen = new Promise<void>((resolve) => (open = resolve));
  const way = createServer((near) => {
    const far = connect(stage.server.port, 'localhost');
    near.on('data', (data) => {
      if (data.includes('Upgrade: websocket')) void mayOpen.then(() => far.write(data));
      else far.write(data);
    });
    far.pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const)
      one.on('close', () => other.destroy()).on('error', () => other.destroy());
  });
  onTestFinished(() => {
    way.close();
  });
  way.listen(0, 'localhost');
  await once(way, 'listening');
  const address = way.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const tab = await Tab.make(stage.browser);
  tabs.push(tab);
  const { opened, frames } = await listen(tab);
  await noteFirstConnection(tab);
  await tab.page.goto(`http://localhost:${address.port}/`);
  await untilFirstConnection(tab);
  // A connection is begun as the membership is, and a little later the socket has been taken over.
  await tab.page.waitForFunction(() => !('firstConnection' in window));
  expect(frames).toEqual([]);
  open();
  await untilOneRing([tab]);
  expect(opened).toHaveLength(1);
  expectToJoin(frames);
});

test('two tabs agree', async () => {
  await openRing(2);
});

test('three tabs that come one after another agree each time', async () => {
  for (let count = 1; count <= 3; count += 1) {
    tabs.push(await Tab.open(stage.browser, stage.url));
    await untilOneRing(tabs);
  }
});

test('twelve tabs opened at once agree, and again after the leader and two others are closed', async () => {
  await openRing(12);
  const { leader, others } = byRole(tabs, await untilOneRing(tabs));
  const [first, second, ...rest] = others;
  await Promise.all([leader.close(), first?.close(), second?.close()]);
  tabs = rest;
  await untilOneRing(tabs);
});

test('closing the leader’s tab elects the next highest, in a higher term', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  await leader.close();
  tabs = others;
  const [after] = await untilOneRing(tabs);
  expect(Number(after?.['term'])).toBeGreaterThan(Number(before[0]?.['term']));
});

test('a leader’s tab whose process is killed is replaced', async () => {
  await openRing(3);
  const { leader, others } = byRole(tabs, await untilOneRing(tabs));
  const session = await leader.page.createCDPSession();
  // The page never answers: its process is gone.
  session.send('Page.crash').catch(() => undefined);
  tabs = others;
  await untilOneRing(tabs);
});

test('closing a follower’s tab leaves the leader and its term as they were', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  const [gone, ...rest] = others;
  await gone?.close();
  tabs = [leader, ...rest];
  const [after] = await untilOneRing(tabs);
  expect(after?.['leader-id']).toBe(before[0]?.['leader-id']);
  expect(after?.['term']).toBe(before[0]?.['term']);
});

test('reloading a tab heals the ring with a new peer', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  await tabs[0]?.page.reload();
  const after = await untilOneRing(tabs);
  expect(after[0]?.['own-id']).not.toBe(before[0]?.['own-id']);
  expect(after[1]?.['own-id']).toBe(before[1]?.['own-id']);
});

test('a page one comes back to takes part again', async () => {
  await openRing(2);
  await tabs[0]?.page.goto('about:blank');
  await untilOneRing(tabs.slice(1));
  await tabs[0]?.page.goBack();
  await untilOneRing(tabs);
});

test('“Start election” elects the same leader in a new term', async () => {
  await openRing(3);
  const before = await untilOneRing(tabs);
  const { leader, others } = byRole(tabs, before);
  await others[0]?.click('Start election');
  await until(async () => {
    const values = await leader.values();
    expect(Number(values['term'])).toBeGreaterThan(Number(before[0]?.['term']));
  });
  const after = await untilOneRing(tabs);
  expect(after[0]?.['leader-id']).toBe(before[0]?.['leader-id']);
});

test('“Leave ring” closes the ring over the tab, “Rejoin ring” brings it back', async () => {
  await openRing(3);
  const [first, ...rest] = tabs;
  await first?.click('Leave ring');
  await untilOneRing(rest);
  const values = await first?.values();
  expect(values?.['role']).toBe('offline');
  expect(values?.['server-link']).toBe('offline');
  for (const unknown of ['leader-id', 'successor-id', 'predecessor-id', 'ring-size', 'term'])
    expect(values?.[unknown]).toBe('');
  await first?.click('Rejoin ring');
  await untilOneRing(tabs);
});

test('tabs in different rooms do not meet', async () => {
  tabs = await Promise.all([
    Tab.open(stage.browser, `${stage.url}?room=a`),
    Tab.open(stage.browser, `${stage.url}?room=b`),
  ]);
  await Promise.all(tabs.map((tab) => untilOneRing([tab])));
});

test('on an insecure origin two tabs agree and the link can be copied', async () => {
  tabs = await openTabs(stage.browser, 2, `http://ring.test:${stage.server.port}/?room=phones`);
  await untilOneRing(tabs);
  const [tab] = tabs;
  expect(await tab?.page.evaluate(() => isSecureContext)).toBe(false);
  await tab?.page.bringToFront();
  await tab?.click('Copy link');
  await until(async () => {
    const said = await tab?.page.$eval(
      '[aria-label=Controls] [role=status]',
      (element) => element.textContent,
    );
    expect(said).toContain(`http://ring.test:${stage.server.port}/?room=phones`);
  });
});

test('the log says of each message what it was compared to and what became of it', async () => {
  await openRing(3);
  const { leader, others } = byRole(tabs, await untilOneRing(tabs));
  await others[0]?.click('Start election');
  await until(async () => {
    const log = await leader.log();
    const id = (await leader.values())['own-id']?.slice(0, 8) ?? '';
    const own = log.find(({ kind, text }) => kind === 'received' && text.includes('= mine'));
    expect(own?.text).toContain(`= mine ${id}: it went round the whole ring, so I am the leader`);
    expect(log.some(({ kind }) => kind === 'leader')).toBe(true);
  });
  const kinds = new Set((await leader.log()).map(({ kind }) => kind));
  for (const kind of ['sent', 'received', 'leader', 'neighbour', 'server'])
    expect(kinds).toContain(kind);
});
