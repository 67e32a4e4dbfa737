import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['tests/{election,protocol,ring,simulation}/**/*.test.ts'] } },
    ],
  },
});
