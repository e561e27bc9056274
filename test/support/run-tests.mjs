/**
 * What `npm test` (the first tier of vitest.config.ts), `npm run test:second` (`--second`: the other) and `npm run test:all` (`--all`: both) run:
 * vitest with its usual output, then what was skipped, by reason, and as the very last line, plain
 *
 *   tests: N passed, N failed[, N skipped]
 *
 * Arguments go to vitest: `npm test -- test/guards -t "imports"`. Files that are named are run whatever their tier.
 * A file that does not load, a failing hook and an unhandled error each count as one failure; so does a test that was
 * collected and never ran, and in CI one that was skipped for another reason than those below. The exit code is 0 only when something passed and
 * nothing failed.
 */
import { parseCLI, startVitest } from 'vitest/node';

const CLOSE_MS_MAX = 30_000;

/** What CI may lack. Chromium, promtool and openssl it may not: `.ci/run` installs them. */
const MAY_BE_MISSING = [
  /^\.\.\/shared\/(parity|data) is not there$/,
  /^RIVULET_CRASH_INPUT is not set$/,
  // Validators of manifests, and what belongs to them.
  /^(kubectl-validate|kustomize|hadolint|systemd-analyze|the validator of compose-spec) is not installed$/,
  /^definitions of KEDA and the Prometheus operator are not here/,
  // What clients are written in, and where that is fetched from.
  /^(go|python3|javac|mvn|tar|grpcurl|ghz) is not installed/,
  /what it needs cannot be fetched from here$/,
  // A container may not do so, or not have it.
  /^strace is not installed$/,
  /^a disk of a size cannot be mounted$/,
];

const tally = { passed: 0, failed: 0, skipped: 0 };
/** How many tests, by reason. */
const skipped = new Map();
let finished = false;

// On `exit`, so that the line is the last one whatever ends the process: an error here, a signal handler, a late print.
process.on('exit', () => {
  for (const [reason, count] of skipped) {
    const mayBe = !process.env.CI || reason.split('; ').every((one) => MAY_BE_MISSING.some((known) => known.test(one)));
    if (!mayBe) [tally.failed, tally.skipped] = [tally.failed + count, tally.skipped - count];
    console.log(`skipped: ${count} as ${reason}${mayBe ? '' : ', which CI must not lack'}`);
  }
  if (!finished && tally.failed === 0) tally.failed = 1;
  if (tally.failed > 0 || tally.passed === 0) process.exitCode ||= 1;
  const rest = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
  console.log(`tests: ${tally.passed} passed, ${tally.failed} failed${rest}`);
});

let vitest;
try {
  const given = process.argv.slice(2);
  const args = given.filter((one) => one !== '--all' && one !== '--second');
  const { filter, options } = parseCLI(['vitest', 'run', ...args]);
  if (given.includes('--all')) process.env.SIMULATION_SEEDS ??= 'all';
  else if (given.includes('--second')) options.project ??= 'second';
  else if (filter.length === 0) options.project ??= ['first', 'own-process'];
  vitest = await startVitest('test', filter, { ...options, watch: false, run: true });
  for (const module of vitest.state.getTestModules()) count(module, options.testNamePattern);
  tally.failed += vitest.state.getUnhandledErrors().length;
  finished = true;
} catch (error) {
  console.error(error);
}
await closed(vitest);
process.exit();

/** Adds one test module (file) and all it holds to the tally. */
function count(module, pattern) {
  if (module.errors().length > 0) tally.failed += 1;
  for (const suite of module.children.allSuites()) {
    if (suite.errors().length > 0) tally.failed += 1;
  }
  for (const test of module.children.allTests()) {
    const { state } = test.result();
    if (state === 'passed' || state === 'skipped') tally[state] += 1;
    else tally.failed += 1;
    // Whoever picks tests by their name does not want to hear of all others.
    if (state !== 'skipped' || pattern !== undefined) continue;
    const reason = reasonOf(test);
    skipped.set(reason, (skipped.get(reason) ?? 0) + 1);
  }
}

/** What was given to `skip`, or stands in the names (test/support/requirements.ts). */
function reasonOf(test) {
  const named = /\(skipped: (.*?)\)(?= > |$)/.exec(test.fullName)?.[1];
  return test.result().note ?? named ?? `nobody says why: ${test.module.relativeModuleId}: ${test.fullName}`;
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
