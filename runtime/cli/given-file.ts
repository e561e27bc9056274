/** Files that flags name. */
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { STDIN } from '../../connectors/csv/file-bytes.js';
import type { FileFormat } from '../../connectors/csv/file-chunks.js';
import { formatOf } from '../../connectors/csv/folder-source.js';
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

/** `given`: with --format. Fatal USAGE when it is neither given nor told by the name. */
export function formatOfFile(path: string, given: FileFormat | undefined): FileFormat {
  const format = given ?? formatOf(basename(path));
  if (format !== undefined) return format;
  throw usage(
    `cannot tell from its name what ${path === STDIN ? 'standard input' : path} holds`,
    'give --format csv or --format jsonl',
  );
}

export const GIVE_POPULARITY = 'give the popularity table with --popularity';
