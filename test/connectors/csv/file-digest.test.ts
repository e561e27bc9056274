/** The digest of a file. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digestOf } from '../../../connectors/csv/file-bytes.js';

const folder = mkdtempSync(join(tmpdir(), 'rivulet-digest-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('is that of its bytes; a large file is not read to its end after an interruption', async () => {
  const file = join(folder, 'file');
  writeFileSync(file, 'abc');
  expect(await digestOf(file)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  truncateSync(file, 8 * 2 ** 30);
  const abort = new AbortController();
  const [digest, reason] = [digestOf(file, abort.signal), new Error('interrupted')];
  setImmediate(() => abort.abort(reason));
  await expect(digest).rejects.toBe(reason);
  await expect(digestOf(join(folder, 'none'), abort.signal)).rejects.toBe(reason);
  await expect(digestOf(join(folder, 'none'))).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
});
