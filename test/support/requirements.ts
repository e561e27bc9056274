/**
 * What a test needs that may be missing. The reason for which a test is skipped stands behind its name, or behind that of a suite around it:
 *
 *   describe.skipIf(noOpenssl)(`TLS${skipped(noOpenssl)}`, …)
 *
 * `run-tests.mjs` lists what is skipped by these reasons, and knows which of them CI may have.
 */
import { execFileSync } from 'node:child_process';

/** Undefined: it is there. */
export type Missing = string | undefined;

export const skipped = (...reasons: readonly Missing[]): string => {
  const missing = reasons.filter((reason) => reason !== undefined);
  return missing.length === 0 ? '' : ` (skipped: ${missing.map((reason) => reason.split('\n')[0]).join('; ')})`;
};

/** Whether a program answers, when it is asked for its version. */
export function missingProgram(command: string, ...args: readonly string[]): Missing {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
    return undefined;
  } catch {
    return `${command} is not installed`;
  }
}

export const noOpenssl = missingProgram('openssl', 'version');
export const noLinux: Missing = process.platform === 'linux' ? undefined : 'this is not Linux';
