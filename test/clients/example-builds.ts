/** The example clients as their READMEs say to build them, beside a copy of the .proto files, kept for the next run. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { runCommand } from '../../connectors/nats/command.js';
import { projectFiles, ROOT } from '../guards/source-files.js';
import { kept } from '../support/user-cache.js';

/** Of one command of a README: the first time, it fetches what the client is made of. */
const COMMAND_MS_MAX = 240_000;

export interface Example {
  readonly language: string;
  /** Below deploy/clients/. */
  readonly folder: string;
  /** What must answer for it to be built; what they answer is part of what the build depends on. */
  readonly toolchain: readonly (readonly [command: string, ...args: string[]])[];
  /** How it is run, from its folder. */
  readonly program: readonly [command: string, ...args: string[]];
}

export function isInstalled(command: string, ...args: string[]): boolean {
  return 'versions' in toolchainOf({ toolchain: [[command, ...args]] });
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

/** The folder of the built client. */
export async function built(example: Example, versions: string): Promise<string> {
  const own = `deploy/clients/${example.folder}`;
  const files = projectFiles().filter((path) => path.startsWith(`${own}/`) || /^proto\/.*\.proto$/.test(path));
  const digest = createHash('sha256').update(versions);
  for (const path of files) digest.update(`\0${path}\0`).update(readFileSync(join(ROOT, path)));
  const copy = await kept(`client-${example.folder}/${digest.digest('hex').slice(0, 16)}`, async (scratch) => {
    for (const path of files) cpSync(join(ROOT, path), join(scratch, path));
    // buf, for those who use it.
    const env = { ...process.env, PATH: [join(ROOT, 'node_modules', '.bin'), process.env.PATH].join(delimiter) };
    for (const command of buildCommands(example)) {
      const options = { cwd: join(scratch, own), env, timeoutMs: COMMAND_MS_MAX };
      await runCommand('sh', ['-c', `exec ${command}`], options).catch((cause: unknown) => {
        throw new Error(`${own}/README.md: \`${command}\` ${(cause as Error).message}`, { cause });
      });
    }
  });
  return join(copy, own);
}

/** The first block of commands in its README. */
export function buildCommands({ folder }: Pick<Example, 'folder'>): string[] {
  const readme = readFileSync(join(ROOT, 'deploy', 'clients', folder, 'README.md'), 'utf8');
  return /```sh\n([^]*?)\n```/.exec(readme)![1]!.split('\n');
}
