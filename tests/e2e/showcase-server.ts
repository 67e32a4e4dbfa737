/** Serves the page that {@link file://./showcase.ts} opens: once for each project. */
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import type { TestProject } from 'vitest/node';

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
          // As a member writes it, except for laps.
          if (!['holding', 'ring', 'era'].includes(event.type))
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

declare module 'vitest' {
  interface ProvidedContext {
    /** The address of the showcase. */
    readonly showcase: string;
  }
}

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await createServer({
    configFile: fileURLToPath(new URL('../../vite.config.ts', import.meta.url)),
    logLevel: 'error',
    // A separate one: two that fill one at the same time would disturb each other.
    cacheDir: `../node_modules/.vite/showcase-${project.name}`,
    server: { port: 0, host: '127.0.0.1', hmr: false, watch: null },
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
  project.provide('showcase', new URL('/showcase', server.resolvedUrls?.local[0]).href);
  return () => server.close();
}
