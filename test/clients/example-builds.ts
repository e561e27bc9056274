/** The example clients, built as their READMEs say. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { runCommand } from '../../connectors/nats/provision/command.js';
import { projectFiles, ROOT } from '../guards/source-files.js';
import { kept } from '../support/user-cache.js';

/** Of one command of a README: the first time, it fetches what the client is made of. */
const COMMAND_MS_MAX = 240_000;

/** What go, pip and Maven say of a network that does not lead to their registries. */
const NETWORK =
  /dial tcp|no such host|i\/o timeout|proxyconnect|connection (refused|reset|timed out)|name resolution|could not resolve|could not transfer|no matching distribution|network is unreachable/i;

/** Not a fault of the client. */
export class Unreachable extends Error {}

export interface Example {
  readonly language: string;
  /** Below deploy/clients/. */
  readonly folder: string;
  /** What must answer for it to be built; what they answer is part of what the build depends on. */
  readonly toolchain: readonly (readonly [command: string, ...args: string[]])[];
  /** How it is run, from its folder. */
  readonly program: readonly [command: string, ...args: string[]];
  /** It uses this package, not code of its own from the .proto files. */
  readonly usesPackage?: true;
}

/** What the toolchain says of itself, or which part of it is not installed. */
export function toolchainOf({
  toolchain,
}: Pick<Example, 'toolchain'>): { readonly versions: string } | { readonly missing: string } {
  const versions: string[] = [];
  for (const [command, ...args] of toolchain) {
    try {
      versions.push(execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
    } catch {
      return { missing: command };
    }
  }
  return { versions: versions.join('\n') };
}

/** The folder of the built client; `scratch` is for what is not worth keeping. */
export const built = (example: Example, versions: string, scratch: string): Promise<string> =>
  example.usesPackage === true ? builtWithPackage(example, scratch) : builtAndKept(example, versions);

/** Kept for the next run; beside a copy of the .proto files, where its commands look for them. */
async function builtAndKept({ folder }: Example, versions: string): Promise<string> {
  const files = projectFiles().filter((path) => path.startsWith(own(folder)) || /^proto\/.*\.proto$/.test(path));
  const digest = createHash('sha256').update(versions);
  for (const path of files) digest.update(`\0${path}\0`).update(readFileSync(join(ROOT, path)));
  const copy = await kept(`client-${folder}/${digest.digest('hex').slice(0, 16)}`, async (scratch) => {
    for (const path of files) cpSync(join(ROOT, path), join(scratch, path));
    await build(folder, scratch, buildCommands(folder));
  });
  return join(copy, own(folder));
}

/** Built in `copy`, beside the package as it would be published. */
async function builtWithPackage({ folder }: Example, copy: string): Promise<string> {
  for (const path of projectFiles().filter((one) => one.startsWith(own(folder)))) {
    cpSync(join(ROOT, path), join(copy, path));
  }
  const client = join(copy, own(folder));
  await installPackage(client);
  // The rest of what it would install comes from this checkout.
  await build(
    folder,
    copy,
    buildCommands(folder).filter((command) => !command.startsWith('npm install')),
  );
  return client;
}

const own = (folder: string): string => `deploy/clients/${folder}/`;

/** The first block of commands in its README. */
function buildCommands(folder: string): string[] {
  const readme = readFileSync(join(ROOT, own(folder), 'README.md'), 'utf8');
  return /```sh\n([^]*?)\n```/.exec(readme)![1]!.split('\n');
}

async function build(folder: string, copy: string, commands: readonly string[]): Promise<void> {
  // buf, for those who use it.
  const env = { ...process.env, PATH: [join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(delimiter) };
  for (const command of commands) {
    const options = { cwd: join(copy, own(folder)), env, timeoutMs: COMMAND_MS_MAX };
    await runCommand('sh', ['-c', `exec ${command}`], options).catch((cause: unknown) => {
      const { message } = cause as Error;
      if (NETWORK.test(message))
        throw new Unreachable(`${command}: what it needs cannot be fetched from here`, { cause });
      throw new Error(`${own(folder)}README.md: \`${command}\` ${message}`, { cause });
    });
  }
}

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

async function installPackage(client: string): Promise<void> {
  const modules = join(client, 'node_modules');
  mkdirSync(modules);
  const options = { cwd: ROOT, env: process.env, timeoutMs: COMMAND_MS_MAX };
  // What `prepare` would build is there: tests run on it.
  await runCommand('npm', ['pack', '--ignore-scripts', '--pack-destination', modules], options);
  const archive = readdirSync(modules).find((name) => name.endsWith('.tgz'))!;
  await runCommand('tar', ['-xzf', archive], { ...options, cwd: modules });
  renameSync(join(modules, 'package'), join(modules, 'rivulet'));

  const manifest = (of: string): Manifest => JSON.parse(readFileSync(join(of, 'package.json'), 'utf8')) as Manifest;
  const { dependencies } = manifest(join(modules, 'rivulet'));
  for (const name of Object.keys({ ...dependencies, ...manifest(client).devDependencies })) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  mkdirSync(join(modules, '.bin'));
  symlinkSync(join(modules, 'typescript', 'bin', 'tsc'), join(modules, '.bin', 'tsc'));
}
