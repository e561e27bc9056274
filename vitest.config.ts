import { defineConfig } from 'vitest/config';

/**
 * The two tiers, by folder. These start what people run (nodes, clusters, browsers, compilers, clients in other languages) and are for
 * `npm run test:all`; all else is what `npm test` runs. A test that is quick and needs no more than Node and nats-server does not belong here.
 */
const SECOND_TIER = ['cli', 'clients', 'cluster', 'crash', 'deploy', 'page'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);
/** What sets up something for its process (tracers, signals, the streams of a terminal), so that each file has a process of its own. */
const OWN_PROCESS = ['test/*.test.ts', 'test/integration/**/*.test.ts', 'test/runtime/cli/**/*.test.ts'];
const NO_TESTS = ['test/bench/**', 'node_modules/**', 'dist/**'];

/** Two files at a time, unless a tier says otherwise: many start a real nats-server. Longer tests set their own timeout. */
export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'first',
          include: ['test/**/*.test.ts'],
          exclude: [...NO_TESTS, ...SECOND_TIER, ...OWN_PROCESS],
          // A process for each file costs more than most files: these leave nothing behind for the next one.
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: { name: 'own-process', include: OWN_PROCESS, exclude: NO_TESTS, sequence: { groupOrder: 1 } },
      },
      {
        extends: true,
        // Of these, much is spent waiting: for leases that end, for NATS to elect a leader, for a page to draw.
        test: { name: 'second', include: SECOND_TIER, exclude: NO_TESTS, maxWorkers: 3, sequence: { groupOrder: 2 } },
      },
    ],
    environment: 'node',
    // Has the nats-server at hand before a test's clock runs: a cold build takes up to a minute.
    globalSetup: ['test/support/nats.ts'],
    setupFiles: ['test/support/fast-check.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // Longer than what a test waits for (test/support/eventually.ts), so that it says what it waited for.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000 } },
    teardownTimeout: 20_000,
    // A forgotten `.only` would pass while the rest is never run.
    allowOnly: false,
    restoreMocks: true,
    unstubEnvs: true,
  },
});
