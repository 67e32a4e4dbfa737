/** The page's components by themselves in a real browser, given what a ring would have told them. */
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { createServer } from 'vite';
import type { PeerId } from '../../shared/protocol/ids.ts';
import type { RingState, Seat } from '../../shared/ring/events.ts';
import type { TokenHere } from '../../web/token-here.ts';
import type { Token } from '../../web/tokens.ts';
import { peerId, roomName } from '../support.ts';

/** Mounts a component in place of the one before, or gives the same one other data. */
const PAGE = `<!doctype html>
<html lang="en">
  <head><title>Showcase</title><link rel="icon" href="data:," /></head>
  <body>
    <main id="stage"></main>
    <script type="module">
      import { flushSync, mount, unmount } from 'svelte';
      import '/style.css';
      import RingPage from '/components/RingPage.svelte';
      import RingPicture from '/components/RingPicture.svelte';
      import TokenHere from '/components/TokenHere.svelte';
      import Verdict from '/components/Verdict.svelte';
      const components = { RingPage, RingPicture, TokenHere, Verdict };
      let shown = null;
      globalThis.show = (name, props) => {
        if (shown !== null) unmount(shown);
        const target = document.getElementById('stage');
        shown = mount(components[name], { target, props });
        flushSync();
      };
      document.body.dataset.ready = 'true';
    </script>
  </body>
</html>`;

declare global {
  /** Of the showcase's page. */
  var show: (component: string, props: unknown) => void;
}

export interface Shown {
  RingPage: { member: FakeMember };
  RingPicture: { ring: RingState; tokens: readonly Token[] };
  TokenHere: { here: TokenHere };
  Verdict: { ring: RingState; since: number | null };
}

/** What the page reads of a membership. */
export interface FakeMember {
  readonly room: string;
  readonly ring: RingState;
  readonly news: { readonly ring: RingState; readonly facts: Readonly<Record<string, string>> };
  readonly log: readonly unknown[];
  readonly tokens: readonly Token[];
  readonly here: TokenHere;
  readonly leaderSince: number | null;
  readonly trouble: null;
}

export interface Showcase {
  open(browser: Browser): Promise<Page>;
  close(): Promise<void>;
}

export async function startShowcase(): Promise<Showcase> {
  const server = await createServer({
    configFile: fileURLToPath(new URL('../../vite.config.ts', import.meta.url)),
    logLevel: 'error',
    server: { port: 0, host: '127.0.0.1', hmr: false },
    plugins: [
      {
        name: 'showcase',
        configureServer({ middlewares, transformIndexHtml }) {
          middlewares.use('/showcase', (_, response, next) => {
            transformIndexHtml('/showcase', PAGE).then(
              (html) => response.setHeader('content-type', 'text/html').end(html),
              next,
            );
          });
        },
      },
    ],
  });
  await server.listen();
  const url = new URL('/showcase', server.resolvedUrls?.local[0]);
  return {
    async open(browser) {
      const page = await browser.newPage();
      await page.goto(url.href);
      await page.waitForSelector('[data-ready=true]');
      return page;
    },
    async close() {
      await server.close();
    },
  };
}

export async function show<Name extends keyof Shown>(
  page: Page,
  component: Name,
  props: Shown[Name],
): Promise<void> {
  await page.evaluate(
    (name, given) => {
      show(name, given);
    },
    component,
    props,
  );
}

/** A peer of a ring in which all is well, as the ring has told of it. */
export function ringState(
  ids: readonly PeerId[],
  self: PeerId,
  more: Partial<RingState> = {},
): RingState {
  const leader = ids.toSorted().at(-1) ?? self;
  const from = (start: PeerId) => [
    ...ids.slice(ids.indexOf(start)),
    ...ids.slice(0, ids.indexOf(start)),
  ];
  const [, successor = self] = from(self);
  const predecessor = from(self).at(-1) ?? self;
  const link = ids.length === 1 ? 'none' : 'direct';
  return {
    id: self,
    room: roomName('showcase'),
    role: self === leader ? 'leader' : 'follower',
    era: 1,
    term: 3,
    leader,
    hopsFromLeader: from(leader).indexOf(self),
    size: ids.length,
    successor,
    predecessor,
    successorLink: link,
    predecessorLink: link,
    server: 'connected',
    ring: {
      term: 3,
      seats: from(leader).map((id): Seat => ({ id, link: 'direct' })),
      messages: 41,
    },
    hopDelay: 0,
    ...more,
  };
}

/** Peers of a ring, in no order of their ids. */
export function peers(count: number): PeerId[] {
  return Array.from({ length: count }, (_, at) => peerId(((at + 1) * 7_919) % 65_537));
}
