/** Programs that stand in for real ones on a PATH of their own, so that nothing of this machine is found or changed. */
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

export interface Bench {
  readonly folder: string;
  /** The only folder on `env.PATH`. */
  readonly bin: string;
  readonly cacheDir: string;
  readonly env: NodeJS.ProcessEnv;
  /** Folders in which something was being made. */
  scratchLeft(): Promise<string[]>;
}

/** A fresh one for each test of the file. */
export function useBench(): Bench {
  let folder = '';
  const bench: Bench = {
    get folder() {
      return folder;
    },
    get bin() {
      return join(folder, 'bin');
    },
    get cacheDir() {
      return join(folder, 'cache', 'here');
    },
    get env() {
      return { PATH: bench.bin, HOME: folder };
    },
    scratchLeft: async () => (await readdir(dirname(bench.cacheDir))).filter((name) => name.startsWith('.building-')),
  };
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rivulet-bench-'));
    await mkdir(bench.bin);
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));
  return bench;
}

/** A script at the path; gives the path. */
export async function program(path: string, text: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, 0o755);
  return path;
}

export const serverOf = (version: string): string => `#!/bin/sh\necho "nats-server: v${version}"\n`;
