import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Compresses what the page loads, once and for all visitors. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async writeBundle({ dir = '' }, bundle) {
      for (const name of Object.keys(bundle).filter((file) =>
        /\.(?:js|css|html|svg)$/.test(file),
      )) {
        const file = join(dir, name);
        await writeFile(`${file}.gz`, gzipSync(await readFile(file), { level: 9 }));
      }
    },
  };
}

/** One file at a time: a browser keeps a small machine busy by itself. */
const inBrowsers = {
  globalSetup: 'tests/e2e/build-page.ts',
  fileParallelism: false,
  testTimeout: 120_000,
  hookTimeout: 60_000,
};

export default defineConfig({
  root: 'web',
  plugins: [svelte({ configFile: false }), compressed()],
  // The page imports from the folders beside its own.
  server: { fs: { allow: ['..'] } },
  build: {
    outDir: '../dist/web',
    emptyOutDir: true,
    manifest: true,
    // Everything a current phone runs; keeps the page small.
    target: 'baseline-widely-available',
  },
  test: {
    root: '.',
    projects: [
      {
        test: {
          name: 'unit',
          include: ['tests/{election,fuzz,protocol,ring,scenarios,simulation}/**/*.test.ts'],
        },
      },
      { test: { name: 'verify', include: ['tests/verify/**/*.test.ts'], testTimeout: 120_000 } },
      { test: { name: 'server', include: ['tests/signaling-server/**/*.test.ts'] } },
      {
        test: {
          ...inBrowsers,
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          exclude: ['tests/e2e/mixed.test.ts'],
        },
      },
      { test: { ...inBrowsers, name: 'mixed', include: ['tests/e2e/mixed.test.ts'] } },
    ],
  },
});
