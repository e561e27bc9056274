/** Writes files for browsers, each compressed beside it (.br, .gz), so that the server never does it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

/** Gives the bytes of the smallest one. */
export function writeCompressed(folder, name, text) {
  const bytes = Buffer.from(text);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length };
  const small = brotliCompressSync(bytes, { params });
  writeFileSync(join(folder, name), bytes);
  writeFileSync(join(folder, `${name}.br`), small);
  writeFileSync(join(folder, `${name}.gz`), gzipSync(bytes, { level: 9 }));
  return small.length;
}
