/** Prometheus' own tool for its files: the one on the PATH. To build it takes longer than all our tests. */
import { execFile } from 'node:child_process';
import { missingProgram } from './requirements.js';

/** It comes with Prometheus (Debian: apt-get install prometheus). */
export const noPromtool = missingProgram('promtool', '--version');

const RUN_MS_MAX = 60_000;

/** What it has to say, and whether all is well. */
export function runPromtool(
  cwd: string,
  args: readonly string[],
  input = '',
): Promise<{ readonly isOk: boolean; readonly output: string }> {
  return new Promise((resolve) => {
    const child = execFile('promtool', args, { cwd, timeout: RUN_MS_MAX }, (error, stdout, stderr) =>
      resolve({ isOk: error === null, output: stdout + stderr }),
    );
    child.stdin!.end(input);
  });
}
