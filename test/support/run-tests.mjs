/**
 * What `npm test` runs: vitest with its usual output, then, as the very last line, plain
 *
 *   tests: N passed, N failed[, N skipped]
 *
 * Arguments go to vitest: `npm test -- test/guards -t "imports"`.
 * A file that does not load, a failing hook and an unhandled error each count as one failure; so does a test that was
 * collected and never ran. The exit code is 0 only when something passed and nothing failed.
 */
import { parseCLI, startVitest } from 'vitest/node';

const CLOSE_MS_MAX = 30_000;

const tally = { passed: 0, failed: 0, skipped: 0 };
let finished = false;

// On `exit`, so that the line is the last one whatever ends the process: an error here, a signal handler, a late print.
process.on('exit', () => {
  if (!finished && tally.failed === 0) tally.failed = 1;
  if (tally.failed > 0 || tally.passed === 0) process.exitCode ||= 1;
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
  console.log(`tests: ${tally.passed} passed, ${tally.failed} failed${skipped}`);
});

let vitest;
try {
  const { filter, options } = parseCLI(['vitest', 'run', ...process.argv.slice(2)]);
  vitest = await startVitest('test', filter, { ...options, watch: false, run: true });
  for (const module of vitest.state.getTestModules()) count(module);
  tally.failed += vitest.state.getUnhandledErrors().length;
  finished = true;
} catch (error) {
  console.error(error);
}
await closed(vitest);
process.exit();

/** Adds one test module (file) and all it holds to the tally. */
function count(module) {
  if (module.errors().length > 0) tally.failed += 1;
  for (const suite of module.children.allSuites()) {
    if (suite.errors().length > 0) tally.failed += 1;
  }
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed' || state === 'skipped') tally[state] += 1;
    else tally.failed += 1;
  }
}

/** Stops the workers, so that nothing prints after the last line; a worker that hangs does not hang the run. */
async function closed(instance) {
  if (instance === undefined) return;
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS_MAX, 'late');
  });
  try {
    if ((await Promise.race([instance.close(), late])) === 'late') console.error('vitest did not close in time');
  } catch (error) {
    console.error(error);
    tally.failed += 1;
  }
  clearTimeout(timer);
}
