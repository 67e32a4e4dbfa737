/** How the tests are run; what is built is vite.config.ts's. */
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const inBrowsers = {
  globalSetup: ['tests/e2e/build-page.ts', 'tests/e2e/showcase-server.ts'],
  testTimeout: 120_000,
  hookTimeout: 60_000,
};

/** Tests that measure frames and delays get a small machine to themselves. */
const TIMED = 'tests/e2e/**/*.timed.test.ts';
const MIXED = 'tests/e2e/mixed.test.ts';

/** The slowest first: begun last, they would keep everything else waiting. */
const LONGEST = [
  'simulation/hostile',
  'simulation/ring',
  'signaling-server/places',
  'verify/system',
  'verify/checker',
  'signaling-server/bad-input',
  'e2e/axe',
  'e2e/ring',
  'e2e/trouble',
  'e2e/controls',
  'e2e/watch',
  'e2e/picture',
].map((name) => `${name}.test.ts`);

/** Of the files that may run at the same time, the slowest first, of whichever project. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.findIndex((ending) => moduleId.endsWith(`/${ending}`));
      return place === -1 ? LONGEST.length : place;
    };
    const groupOf = ({ project }: TestSpecification) => project.config.sequence.groupOrder;
    return (await super.sort(files)).toSorted(
      (one, other) => groupOf(one) - groupOf(other) || placeOf(one) - placeOf(other),
    );
  }
}

export default defineConfig({
  test: {
    // Vitest leaves one processor free, which is half of a small machine; and some of the tests only wait.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          // Rings of sixty take seconds of processor time, and more on a busy machine.
          testTimeout: 60_000,
          // Modules of pure code keep no state; loading them for each file takes longer than most tests.
          isolate: false,
          include: [
            'tests/{broker,election,fuzz,instances,member,narration,page,peer,protocol,scenarios,simulation,watch,web}/**/*.test.ts',
            'tests/contracts/{relayed,simulated}-*.test.ts',
          ],
        },
      },
      { test: { name: 'verify', include: ['tests/verify/**/*.test.ts'], testTimeout: 120_000 } },
      {
        test: {
          name: 'server',
          include: [
            'tests/{scripts,signaling-server}/**/*.test.ts',
            'tests/contracts/{node,socket}-*.test.ts',
          ],
          // Some wait for something that the server does after seconds, beside files that need the
          // processors.
          testTimeout: 20_000,
        },
      },
      {
        test: {
          ...inBrowsers,
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          exclude: [TIMED, MIXED],
          // Mostly they wait, so two share a small machine; more would slow each other down.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...inBrowsers,
          name: 'timed',
          include: [TIMED],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...inBrowsers,
          globalSetup: 'tests/e2e/build-page.ts',
          name: 'mixed',
          include: [MIXED],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...inBrowsers,
          globalSetup: 'tests/e2e/build-page.ts',
          name: 'proxies',
          include: ['tests/proxies/**/*.test.ts'],
          // They listen on the ports that proxies have.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'redis',
          globalSetup: 'tests/ice/build-peers.ts',
          include: ['tests/redis/**/*.test.ts'],
          testTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'deploy',
          globalSetup: 'tests/e2e/build-page.ts',
          include: ['tests/deploy/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          globalSetup: 'tests/ice/build-peers.ts',
          name: 'ice',
          include: ['tests/ice/**/*.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'chaos',
          include: ['tests/chaos/**/*.test.ts'],
          // After all others: it takes all of a small machine.
          sequence: { groupOrder: 3 },
          testTimeout: 240_000,
        },
      },
    ],
  },
});
