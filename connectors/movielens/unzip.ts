/** unzip: some files of a zip file into a folder, by their own names without those of folders. */
import { createWriteStream } from 'node:fs';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { fatal } from '../../runtime/contract/errors.js';

/** More than the largest set has; a small zip file may claim to hold any number of bytes. */
const BYTES_MAX = 8 * 1024 ** 3;

/** The names of the files. Fatal SOURCE_ZIP when the file is damaged, holds too much, or has a name twice. */
export async function unzip(path: string, folder: string, isWanted: (name: string) => boolean): Promise<string[]> {
  const refused = (what: string, cause?: unknown): Error =>
    fatal('SOURCE_ZIP', `${path} cannot be unpacked: ${what}`, { cause, hint: 'get the file again' });
  const names: string[] = [];
  let bytes = 0;
  try {
    const zip = await openPromise(path, { lazyEntries: true });
    for await (const entry of zip.eachEntry()) {
      const name = posix.basename(entry.fileName);
      if (entry.fileName.endsWith('/') || !isWanted(name)) continue;
      if (names.includes(name)) throw refused(`it has ${name} twice`);
      bytes += entry.uncompressedSize;
      if (bytes > BYTES_MAX) throw refused(`it has more than ${BYTES_MAX} bytes`);
      names.push(name);
      const content = await zip.openReadStreamPromise(entry);
      await pipeline(content, createWriteStream(join(folder, name)));
    }
  } catch (error) {
    throw (error as { code?: unknown }).code === 'SOURCE_ZIP' ? error : refused((error as Error).message, error);
  }
  return names;
}
