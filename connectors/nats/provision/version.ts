/** The nats-server versions that Rivulet supports, how to get the version of a binary, and the features that an older one lacks. */
import { fatal } from '../../../runtime/contract/errors.js';
import { runCommand } from './command.js';

/** The version that Rivulet is tested with, and obtains when it finds none. */
export const VERSION_PINNED = '2.15.1';
/** The oldest that Rivulet supports. */
export const VERSION_SUPPORTED = '2.14.0';
/** The oldest that is good enough for a trial. */
export const VERSION_TOLERATED = '2.9.0';
/** The first with a configurable `sync_interval` and a limit on the number of log files. */
export const VERSION_SYNC_INTERVAL = '2.10.0';

const VERSION_MS_MAX = 10_000;

const CAME_WITH: readonly (readonly [version: string, feature: string])[] = [
  ['2.10.0', 'subject transforms, several filters per consumer, sync_interval (no `power` durability)'],
  ['2.11.0', 'a time to live per message'],
  ['2.12.0', 'atomic batches and the refusal of unknown configuration'],
  ['2.14.0', 'the refusal of an unreadable Raft snapshot'],
  ['2.15.0', 'one fsync per batch of writes'],
];

/** `2.15.1`, as the binary reports it; rejects when it does not run or is not a nats-server. */
export async function versionOf(
  binary: string,
  env: NodeJS.ProcessEnv = process.env,
  signal?: AbortSignal,
): Promise<string> {
  const said = await runCommand(binary, ['--version'], {
    env,
    timeoutMs: VERSION_MS_MAX,
    ...(signal === undefined ? {} : { signal }),
  });
  const version = /\bnats-server:? v?(\d+\.\d+\.\d+)/.exec(said)?.[1];
  if (version === undefined) throw new Error('does not answer --version as a nats-server does');
  return version;
}

export function isAtLeast(version: string, least: string): boolean {
  return compareVersions(version, least) >= 0;
}

export function compareVersions(a: string, b: string): number {
  // `2.15.0-RC.1` counts as 2.15.0.
  const [left, right] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10)));
  for (let i = 0; i < 3; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Throws Fatal NATS_TOO_OLD for a running server that is too old even for a trial. */
export function mustBeTolerated(url: string, version: string): void {
  if (isAtLeast(version, VERSION_TOLERATED)) return;
  throw fatal('NATS_TOO_OLD', `the server at ${url} is nats-server ${version}; Rivulet needs ${VERSION_TOLERATED}`, {
    hint: `upgrade it to ${VERSION_PINNED}, or unset RIVULET_NATS_URL: rivulet then starts its own`,
  });
}

/** Why an old version is for a trial only; undefined for a supported one. */
export function versionWarning(path: string, version: string): string | undefined {
  if (isAtLeast(version, VERSION_SUPPORTED)) return undefined;
  const lacks = CAME_WITH.filter(([since]) => !isAtLeast(version, since)).map(([, feature]) => feature);
  return (
    `nats-server ${version} (${path}) is older than ${VERSION_SUPPORTED} and good for a try only. ` +
    `It lacks: ${lacks.join('; ')}.`
  );
}
