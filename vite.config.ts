import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin, type Rolldown } from 'vite';

/** What simple-peer asks of Node, in the little that a page needs of it. */
const SIMPLE_PEER_NEEDS = ['buffer', 'debug', 'randombytes', 'readable-stream'].map((name) => ({
  find: new RegExp(`^${name}$`),
  replacement: fileURLToPath(new URL(`web/simple-peer/${name}.cjs`, import.meta.url)),
}));

/** What engine.io-client would bring for long polling and WebTransport, which the pages never ask for. */
const ENGINE_NEEDS = {
  find: /^\.\/transports\/index\.js$/,
  replacement: fileURLToPath(new URL('web/engine.io-client/transports.ts', import.meta.url)),
};

/** The longest that a frame is waited for, in milliseconds; and from when on the device counts as busy. */
const LONGEST_FRAME = 1_000;
const LATE_FRAME = 100;

/**
 * Runs the program, which is a text in the page, once the page counts as loaded and has been drawn.
 * Before that a browser draws its own window again and again to say that it loads, and while a page is
 * to be drawn it is asked for it 60 times a second; where many tabs open at once on one machine, that
 * takes more of its time than making the links does. As a file of its own the program would be one more
 * request, and as the source of a script it would be compiled by another thread, which has to be
 * started and given memory first. Above the body, so that nothing is drawn before all is here; that it
 * is on its way, the browser says. A hidden tab, whose frames and timers may not come, starts at once.
 * The marks tell the program since when it could run, and that the frame was late, where the browser is
 * not set up to keep none.
 *
 * Where it was, the hint has V8 compile all functions of the program in one go, which takes less time in
 * all than one by one, as most are called. Alone on its device a tab has its offers sooner without it.
 *
 * A page that was cut off counts as loaded like any other, so what stands last in it is looked for. And
 * a program that fails before it has an id to show is one that the browser does not understand.
 */
const START = `{
  const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
  const mark = (name) => performance.mark?.(name);
  const drawn = () => {
    if (document.hidden) return;
    const frame = new Promise((resolve) => requestAnimationFrame(resolve)).then(() => pause(0));
    const hidden = new Promise((resolve) =>
      document.addEventListener('visibilitychange', resolve, { once: true }),
    );
    return Promise.race([frame, hidden, pause(${LONGEST_FRAME})]);
  };
  const say = (text) => {
    const words = document.createElement('p');
    words.setAttribute('role', 'alert');
    words.textContent = text;
    document.body.replaceChildren(words);
  };
  addEventListener('load', async () => {
    const program = document.getElementById('program');
    const fact = (testid) => document.querySelector('[data-testid=' + testid + ']');
    if (fact('event-log') === null) return say('Only a part of this page has come. Reload it.');
    const loaded = performance.now();
    await drawn();
    const isBusy = performance.now() - loaded > ${LATE_FRAME};
    if (isBusy) mark('device-busy');
    mark('program-ready');
    addEventListener('error', () => {
      if (fact('own-id')?.dataset.value === '')
        say('This browser cannot run this page. A newer one, or another, may.');
    });
    // Of another type a script is not run, and is looked at again when something is put into it.
    program.type = 'module';
    program.prepend(isBusy ? '//# allFunctionsCalledOnLoad\\n' : '');
  });
}`;

/**
 * The same program, each other character of its strings as an escape: one beyond Latin-1 has a browser
 * keep all of the text in 16 bits a character, which it reads more slowly.
 */
function inAscii(code: string): string {
  const escaped = /.{0,40}\\[\u0080-\uffff]/.exec(code)?.[0];
  if (escaped !== undefined)
    throw new Error(`what is not ASCII has a backslash before it: ${escaped}`);
  return code.replace(
    /[\u0080-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Puts the entry's script into the page, so that what it imports is relative to the page.
 * @returns the name of its file, which there is no more
 */
async function moveEntry(folder: string, bundle: Rolldown.OutputBundle): Promise<string> {
  const entry = Object.values(bundle).find((file) => file.type === 'chunk' && file.isEntry);
  if (entry?.type !== 'chunk') throw new Error('the build has no entry');
  // An import would be one more request before the ring is joined: move what is shared to one side. And
  // what the page imports could not be asked for again where it failed.
  for (const file of Object.values(bundle))
    if (file.type === 'chunk' && file.imports.length > 0)
      throw new Error(`${file.fileName} shares code with ${file.imports.join(', ')}`);
  const program = inAscii(entry.code);
  // What would end the element, or keep its end from being seen.
  const end = /.{0,40}(?:<\/script|<!--)/i.exec(program)?.[0];
  if (end !== undefined) throw new Error(`write the "<" as "\\x3c" in the program: ${end}`);
  const path = join(folder, 'index.html');
  const page = await readFile(path, 'utf8');
  const text = `<script type="text/plain" id="program">${program}</script>`;
  const whole = page.replace(
    /<script type="module"[^>]*><\/script>/,
    () => `<script>${START}</script>${text}`,
  );
  if (whole === page) throw new Error('index.html asks for no entry');
  await writeFile(path, whole);
  await rm(join(folder, entry.fileName));
  return entry.fileName;
}

/** Makes the built pages what they are to be served as; compresses them once and for all visitors. */
function finished(isWatchPage: boolean): Plugin {
  return {
    name: 'finished',
    apply: 'build',
    async writeBundle({ dir = '' }, bundle) {
      const moved = isWatchPage ? null : await moveEntry(dir, bundle);
      const names = Object.keys(bundle).filter(
        (name) => name !== moved && /\.(?:js|css|html|svg)$/.test(name),
      );
      for (const name of names) {
        const file = join(dir, name);
        await writeFile(`${file}.gz`, gzipSync(await readFile(file), { level: 9 }));
      }
    },
  };
}

/** The server answers `/watch` with watch.html; so does the one for development. */
function watchAddress(): Plugin {
  return {
    name: 'watch-address',
    configureServer(server) {
      server.middlewares.use((request, _response, next) => {
        request.url = request.url?.replace(/^\/watch(?=\?|$)/, '/watch.html');
        next();
      });
    },
  };
}

/**
 * The page of a member, and in mode `watch` the one for the front of the room, which goes beside it:
 * built by themselves, so that neither's code is split for what the other has of it too.
 */
export default defineConfig(({ mode }) => ({
  root: 'web',
  // A page finds all by where it is itself, which may be below a path.
  base: './',
  plugins: [svelte({ configFile: false }), watchAddress(), finished(mode === 'watch')],
  resolve: { alias: [...SIMPLE_PEER_NEEDS, ENGINE_NEEDS] },
  // The page imports from the folders beside its own.
  server: { fs: { allow: ['..'] } },
  build: {
    outDir: '../dist/web',
    emptyOutDir: mode !== 'watch',
    manifest: mode !== 'watch',
    modulePreload: { polyfill: false },
    // Everything a current phone runs; keeps the page small.
    target: 'baseline-widely-available',
    // The entry's imports are relative to it, and it is run as a part of the page.
    rolldownOptions: {
      // Of engine.io-client only what is used: the rest would ask the browser what it can at once.
      treeshake: { moduleSideEffects: (id: string) => !id.includes('/engine.io-client/') },
      ...(mode === 'watch'
        ? { input: 'web/watch.html' }
        : { output: { entryFileNames: 'main-[hash].js' } }),
    },
  },
}));
