import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  root: 'web',
  plugins: [svelte()],
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
          include: ['tests/{election,protocol,ring,simulation}/**/*.test.ts'],
        },
      },
    ],
  },
});
