/** What the pages may do, who may show them in a frame, and by which name they may be opened. */
import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { listening } from './listening.ts';
import { serve, setStage, Tab, until, untilOneRing } from './support.ts';

const stage = setStage();

/** Opens a page that keeps what its policy forbids it. */
async function openStrict(path: string): Promise<Tab> {
  const tab = await Tab.make(stage.browser);
  await tab.page.evaluateOnNewDocument(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      const { dataset } = document.documentElement;
      dataset['forbidden'] = `${dataset['forbidden'] ?? ''}${violatedDirective} ${blockedURI};`;
    });
  });
  await tab.page.goto(`${stage.url}${path}`);
  return tab;
}

const forbiddenIn = ({ page }: Tab) =>
  page.evaluate(() => document.documentElement.dataset['forbidden'] ?? '');

test('the pages do all that they do within their policy', async () => {
  const tabs = [await openStrict(''), await openStrict('')];
  const watching = await openStrict('watch');
  await untilOneRing(tabs);
  await tabs[0]?.click('Show QR code');
  await tabs[0]?.page.waitForSelector('dialog[open]');
  await tabs[0]?.click('Close');
  await tabs[0]?.click('Start election');
  await until(async () => {
    const { 'watch-messages': messages } = await watching.values();
    expect(Number(messages)).toBeGreaterThan(0);
  });
  await watching.click('Save as SVG');
  // Colours and places are set by script, which the policy allows.
  const hue = await watching.page.$eval('[style]', (element) => element.getAttribute('style'));
  expect(hue).toContain('--');
  for (const tab of [...tabs, watching]) {
    expect(await forbiddenIn(tab)).toBe('');
    expect(tab.errors).toEqual([]);
  }
  // The policy is in force.
  await watching.page.evaluate(() => {
    document.body.insertAdjacentHTML('beforeend', '<p style="color: red"></p>');
  });
  await until(async () => {
    expect(await forbiddenIn(watching)).toBe('style-src-attr inline;');
  });
});

/** A page of another site that shows an address in a frame. */
async function frameOf(address: string): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/html').end(`<iframe src="${address}"></iframe>`);
  });
  return `http://127.0.0.1:${await listening(server)}`;
}

test('another site cannot show a page in a frame', async () => {
  const tab = await Tab.open(stage.browser, await frameOf(stage.url));
  await until(() => {
    expect(tab.errors.join()).toContain('frame-ancestors');
  });
  expect(stage.server.signaling.size.peers).toBe(0);
});

test('a site in FRAME_ANCESTORS can, and the page joins the ring there', async () => {
  const outside = await frameOf('about:blank');
  const server = await serve({ frameAncestors: [outside] });
  onTestFinished(() => server.close());
  const tab = await Tab.make(stage.browser);
  await tab.page.goto(outside);
  await tab.page.$eval(
    'iframe',
    (frame, address) => {
      frame.src = address;
    },
    `http://localhost:${server.port}/`,
  );
  await until(() => {
    expect(server.signaling.size.peers).toBe(1);
  });
  expect(tab.errors).toEqual([]);
});

test('a page whose server goes by another name now says so, and what helps', async () => {
  const first = await serve();
  const tab = await Tab.open(stage.browser, `http://ring.test:${first.port}/`);
  await untilOneRing([tab]);
  // The whole page, which the second server would not give it.
  await tab.page.waitForSelector('[data-testid=connections]');
  await first.close();
  const second = await serve({ port: first.port, publicUrl: 'https://ring.example.org' });
  onTestFinished(() => second.close());
  await until(async () => {
    expect(await tab.alert()).toContain(
      `refuses WebSockets by the name in the Host header of the request, which was ring.test:${first.port}`,
    );
    expect(await tab.alert()).toContain('or correct PUBLIC_URL');
  });
  // Nor is the page itself to be had by that name.
  await tab.page.goto(`http://ring.test:${first.port}/`);
  const text = await tab.page.$eval('body', ({ innerText }) => innerText);
  expect(text).toContain('this server is at https://ring.example.org, but the Host header');
});

test('both pages invite others to PUBLIC_URL, where they are open on the computer itself', async () => {
  const server = await serve({ publicUrl: 'https://ring.example.org/ring/' });
  onTestFinished(() => server.close());
  const url = `http://localhost:${server.port}/`;
  const link = 'https://ring.example.org/ring/?room=lobby';
  const watching = await Tab.open(stage.browser, `${url}watch`);
  await until(async () => {
    expect(await watching.page.$eval('.join a', ({ href }) => href)).toBe(link);
  });
  const tab = await Tab.open(stage.browser, url);
  await tab.click('Show QR code');
  await until(async () => {
    expect(await tab.page.$eval('dialog[open] a', ({ href }) => href)).toBe(link);
  });
});
