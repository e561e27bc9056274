/** Files that flags name. */
import { stat } from 'node:fs/promises';
import { usage } from './exit.js';

/** Fatal USAGE when there is no such file. `give`: the fix, as in "give the catalogue with --items". */
export async function mustBeFile(path: string, give: string): Promise<void> {
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile) throw usage(`there is no file ${path}`, give);
}

/** Fatal USAGE when there is no such folder. */
export async function mustBeFolder(path: string, give: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return;
  throw usage(found === undefined ? `there is no folder ${path}` : `${path} is a file, not a folder`, give);
}

export const GIVE_POPULARITY = 'give the popularity table with --popularity';
