/** receive: the files of a set, from a folder, a zip file or a URL of one, into a folder as they are. */
import { createWriteStream } from 'node:fs';
import { copyFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fatal } from '../../runtime/contract/errors.js';
import { isOfDataset } from './dataset.js';
import { unzip } from './unzip.js';

/** Returns the names of the files. `scratch`: a folder for what is downloaded. `onBytes`: how many bytes are. */
export async function receive(
  source: string,
  folder: string,
  scratch: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string[]> {
  if (isUrl(source)) {
    const file = join(scratch, 'download.zip');
    await download(source, file, onBytes, signal);
    return unzip(file, folder, isOfDataset);
  }
  const found = await stat(source).catch(() => undefined);
  if (found === undefined) {
    throw fatal('SOURCE_UNREADABLE', `there is no ${source}`, { hint: 'give a folder, a zip file, or a URL of one' });
  }
  if (!found.isDirectory()) return unzip(source, folder, isOfDataset);
  const names = (await readdir(source)).filter(isOfDataset);
  for (const name of names) await copyFile(join(source, name), join(folder, name));
  return names;
}

export const isUrl = (source: string): boolean => /^https?:\/\//.test(source);

async function download(
  url: string,
  file: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const failed = (what: string, cause?: unknown): Error =>
    fatal('SOURCE_UNREADABLE', `${url} cannot be downloaded: ${what}`, {
      cause,
      hint: 'check the address and the network, or download it by other means and give the file',
    });
  const response = await fetch(url, { signal }).catch((error: unknown) => {
    throw failed((error as Error).message, error);
  });
  if (!response.ok || response.body === null) throw failed(`HTTP ${response.status}`);
  let bytes = 0;
  const content = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0]);
  content.on('data', (chunk: Buffer) => onBytes((bytes += chunk.length)));
  await pipeline(content, createWriteStream(file), { signal }).catch((error: unknown) => {
    throw failed((error as Error).message, error);
  });
}
