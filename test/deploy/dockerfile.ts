/**
 * A Dockerfile without an engine: what its COPY and RUN lines do, done in a folder.
 *
 * A stage is a folder; a path in it (`/build`, `/app`) is a path below that folder. RUN lines are run where their WORKDIR is: they hold for that when they
 * name relative paths only, which is checked. Users, capabilities and the base image's own files are not played.
 */
import { cp, mkdir, readdir, stat } from 'node:fs/promises';
import { basename, join, posix } from 'node:path';

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface DockerStage {
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

export function stagesOf(dockerfile: string): DockerStage[] {
  const lines = dockerfile
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '');
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const line of lines) {
    const [, name, text] = /^([A-Z]+)\s+(.*)$/.exec(line)!;
    if (name === 'FROM') {
      const [base, , as] = text!.split(/\s+/);
      stages.push({ base: base!, name: as, instructions: [] });
    } else stages.at(-1)!.instructions.push({ name: name!, text: text! });
  }
  return stages;
}

/** Which files of a context get into it: what `.dockerignore` re-includes after its `*`. */
export function contextOf(dockerignore: string): string[] {
  const [first, ...rest] = dockerignore.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  if (first !== '*') throw new Error('.dockerignore does not begin by leaving out all');
  return rest.map((line) => {
    if (!line.startsWith('!')) throw new Error(`.dockerignore: ${line} is no exception from *`);
    return line.slice(1);
  });
}

export interface Played {
  /** Where a path of the last stage is. */
  readonly at: (path: string) => string;
  readonly env: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
}

export async function play(
  stages: readonly DockerStage[],
  context: string,
  folder: string,
  run: (command: string, cwd: string) => Promise<void>,
): Promise<Played> {
  const roots = new Map<string, string>();
  let last: Played | undefined;
  for (const [i, stage] of stages.entries()) {
    const root = join(folder, `stage-${i}`);
    await mkdir(root, { recursive: true });
    roots.set(stage.name ?? `${i}`, root);
    last = await playStage(stage, { context, root, roots, run });
  }
  return last!;
}

interface Scene {
  readonly context: string;
  readonly root: string;
  readonly roots: ReadonlyMap<string, string>;
  readonly run: (command: string, cwd: string) => Promise<void>;
}

async function playStage(stage: DockerStage, { context, root, roots, run }: Scene): Promise<Played> {
  let directory = '/';
  let [entrypoint, command]: [string[], string[]] = [[], []];
  const env: Record<string, string> = {};
  const at = (path: string): string => join(root, posix.resolve(directory, path));
  for (const { name, text } of stage.instructions) {
    if (name === 'WORKDIR') {
      directory = posix.resolve(directory, text);
      await mkdir(at('.'), { recursive: true });
    } else if (name === 'COPY') await copy(text, { context, roots, at });
    else if (name === 'RUN') await run(relative(text), at('.'));
    else if (name === 'ENV') {
      for (const [, key, value] of text.matchAll(/(\w+)=(\S+)/g)) env[key!] = value!;
    } else if (name === 'ENTRYPOINT') entrypoint = JSON.parse(text) as string[];
    else if (name === 'CMD') command = JSON.parse(text) as string[];
  }
  return { at, env, entrypoint, command };
}

function relative(command: string): string {
  if (/(^|[\s=])\//.test(command))
    throw new Error(`this RUN names an absolute path, which cannot be played: ${command}`);
  return command;
}

/** As Docker does: of a folder, what is in it. */
async function copy(
  text: string,
  { context, roots, at }: Pick<Scene, 'context' | 'roots'> & { readonly at: (path: string) => string },
): Promise<void> {
  const words = text.split(/\s+/);
  const from = /^--from=(.*)$/.exec(words.find((word) => word.startsWith('--from=')) ?? '')?.[1];
  const paths = words.filter((word) => !word.startsWith('--'));
  const to = paths.pop()!;
  const base = from === undefined ? context : roots.get(from);
  if (base === undefined) throw new Error(`COPY ${text}: there is no stage ${from}`);
  for (const path of paths) {
    const source = join(base, path);
    if (!(await stat(source)).isDirectory()) {
      await cp(source, to.endsWith('/') ? join(at(to), basename(path)) : at(to));
      continue;
    }
    await mkdir(at(to), { recursive: true });
    for (const entry of await readdir(source)) await cp(join(source, entry), join(at(to), entry), { recursive: true });
  }
}
