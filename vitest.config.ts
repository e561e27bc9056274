import { defineConfig } from 'vitest/config';

/** Two files at a time: integration files each start a real nats-server. Longer tests set their own timeout. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**', 'node_modules/**', 'dist/**'],
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
