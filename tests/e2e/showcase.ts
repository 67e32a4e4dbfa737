/** The page's components by themselves in a real browser, given what a ring would have told them. */
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { createServer } from 'vite';
import type { RingEvent, RingState } from '../../shared/ring/events.ts';
import { factsOf } from '../../web/facts.ts';
import type { Sight } from '../../web/ring-member.ts';
import type { TokenHere } from '../../web/token-here.ts';
import type { Token } from '../../web/tokens.ts';
import type { WatchHandlers } from '../../web/watch/connection.ts';
import { PATIENCE } from './support.ts';

/** Mounts a component in place of the one before, or gives the same one other data. */
const PAGE = `<!doctype html>
<html lang="en">
  <head><title>Showcase</title><link rel="icon" href="data:," /></head>
  <body>
    <div id="stage"></div>
    <script type="module">
      import { flushSync, mount, unmount } from 'svelte';
      import { DrawnMember } from '/drawn-member.svelte.ts';
      import '/style.css';
      import RingPage from '/components/RingPage.svelte';
      import RingPicture from '/components/RingPicture.svelte';
      import TokenHere from '/components/TokenHere.svelte';
      import Verdict from '/components/Verdict.svelte';
      import { WatchedRoom } from '/watch/watched-room.svelte.ts';
      import WatchPage from '/watch/WatchPage.svelte';
      const components = { RingPage, RingPicture, TokenHere, Verdict, WatchPage };
      let shown = null;
      globalThis.mountShown = (name, props) => {
        if (shown !== null) unmount(shown);
        const target = document.getElementById('stage');
        shown = mount(components[name], { target, props });
        flushSync();
      };
      globalThis.mountMember = (sight) => {
        const log = [];
        globalThis.settings = [];
        const member = {
          room: 'showcase',
          sight,
          log,
          links: [],
          get ring() {
            return this.sight.ring;
          },
          onChange: () => undefined,
          campaign: () => undefined,
          setHopDelay: (milliseconds) => settings.push(milliseconds),
        };
        mountShown('RingPage', { member: new DrawnMember(member) });
        globalThis.tell = (event, next = member.sight) => {
          const self = next.ring.id;
          const key = (log.at(-1)?.key ?? 0) + 1;
          // As a member writes it, but for laps.
          if (event.type !== 'holding' && event.type !== 'ring')
            log.push({ key, at: Date.now(), event, self, isLap: false, times: 1 });
          if (log.length > 5_000) log.shift();
          member.sight = next;
          member.onChange(event);
        };
      };
      globalThis.mountWatched = () => {
        const connect = (room, handlers) => (globalThis.watched = handlers);
        mountShown('WatchPage', { watched: new WatchedRoom('showcase', connect) });
      };
      document.body.dataset.ready = 'true';
    </script>
  </body>
</html>`;

declare global {
  /** Of the showcase's page. */
  var mountMember: (sight: Sight) => void;
  var tell: (event: RingEvent, next?: Sight) => void;
  /** The hop delays that the member was asked to set. */
  var settings: number[];
  var mountWatched: () => void;
  var watched: WatchHandlers;
  var mountShown: (component: string, props: unknown) => void;
}

/** The whole page, of a member of which {@link tell} tells more. */
export async function showMember(page: Page, ring: RingState): Promise<void> {
  const sight: Sight = { ring, facts: factsOf(ring) };
  await page.evaluate((given) => {
    mountMember(given);
  }, sight);
}

/** Tells the member that is shown of an event, and how it stands then. */
export async function tellMember(page: Page, event: RingEvent, ring: RingState): Promise<void> {
  const sight: Sight = { ring, facts: factsOf(ring) };
  await page.evaluate(
    (told, next) => {
      tell(told, next);
    },
    event,
    sight,
  );
}

/** The page for the front of the room, of a room of which {@link watched} is told. */
export async function showWatched(page: Page): Promise<void> {
  await page.evaluate(() => {
    mountWatched();
  });
}

export interface Shown {
  RingPicture: { ring: RingState; tokens: readonly Token[] };
  TokenHere: { here: TokenHere };
  Verdict: { ring: RingState; since: number | null };
}

export interface Showcase {
  open(browser: Browser): Promise<Page>;
  close(): Promise<void>;
}

export async function startShowcase(): Promise<Showcase> {
  const server = await createServer({
    configFile: fileURLToPath(new URL('../../vite.config.ts', import.meta.url)),
    logLevel: 'error',
    // Of its own: two that fill one at the same time would get into each other's way.
    cacheDir: `../node_modules/.vite/showcase-${process.env['VITEST_POOL_ID'] ?? ''}`,
    server: { port: 0, host: '127.0.0.1', hmr: false },
    plugins: [
      {
        name: 'showcase',
        configureServer(vite) {
          vite.middlewares.use('/showcase', (_, response, next) => {
            vite
              .transformIndexHtml('/showcase', PAGE)
              .then((html) => response.setHeader('content-type', 'text/html').end(html), next);
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
      page.setDefaultTimeout(PATIENCE);
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
      mountShown(name, given);
    },
    component,
    props,
  );
}
