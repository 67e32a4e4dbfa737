import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** What simple-peer asks of Node, in the little that a page needs of it. */
const SIMPLE_PEER_NEEDS = ['buffer', 'debug', 'randombytes', 'readable-stream'].map((name) => ({
  find: new RegExp(`^${name}$`),
  replacement: path(`web/simple-peer/${name}.cjs`),
}));

/** Compresses the built files once for all visitors. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle({ dir = '' }, bundle) {
      for (const name of Object.keys(bundle)) {
        if (!/\.(?:js|css|html|svg)$/.test(name)) continue;
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

export default defineConfig({
  root: 'web',
  // A page finds all by where it is itself, which may be below a path.
  base: './',
  plugins: [svelte({ configFile: false }), watchAddress(), compressed()],
  resolve: { alias: SIMPLE_PEER_NEEDS },
  // The page imports from the folders beside its own.
  server: { fs: { allow: ['..'] } },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    manifest: true,
    // Nothing inline: the server's policy for its pages allows only files (signaling-server/page-headers.ts).
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // Everything a current phone runs; keeps the page small.
    target: 'baseline-widely-available',
    rolldownOptions: { input: ['index', 'watch'].map((name) => path(`web/${name}.html`)) },
  },
});
