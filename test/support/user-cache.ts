/** What tests obtain once and keep: below the user's cache directory, where it outlives the checkout. */
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, isAbsolute, join } from 'node:path';

const UNUSED_MS_MAX = 7 * 24 * 3600 * 1000;
const SCRATCH = '.building-';

/**
 * The folder that holds what `make` makes, made now when it is not there. `name` names the kind and the version: `client-go/4f5a…`.
 *
 * It is made in a scratch folder and renamed: two test runs at a time waste work, nothing else. Other versions that nobody
 * has used for a week go.
 */
export async function kept(name: string, make: (scratch: string) => Promise<void>): Promise<string> {
  // The XDG rule: a relative or empty value does not count.
  const base = isAbsolute(process.env.XDG_CACHE_HOME ?? '') ? process.env.XDG_CACHE_HOME! : join(homedir(), '.cache');
  const folder = join(base, 'rivulet', 'test', name);
  const now = new Date();
  try {
    await utimes(folder, now, now);
    return folder;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await mkdir(dirname(folder), { recursive: true });
  const scratch = await mkdtemp(join(dirname(folder), SCRATCH));
  try {
    await make(scratch);
    await rename(scratch, folder).catch((error: NodeJS.ErrnoException) => {
      // Another run was quicker.
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
  }
  await removeUnused(dirname(folder), basename(folder));
  return folder;
}

async function removeUnused(parent: string, used: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const path = join(parent, name);
    // Another run may have removed it.
    const at = await stat(path).catch(() => undefined);
    if (name === used || at === undefined || Date.now() - at.mtimeMs < UNUSED_MS_MAX) continue;
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}
