/**
 * No double casts in what is shipped: by them code reaches members of libraries that are not in their types, and that any update may change.
 *
 * Not covered: private members by index (`call['stream']`), and casts to a type that happens to overlap.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isGenerated, isScript, projectFiles, ROOT } from './source-files.js';

it('no file casts by way of unknown', () => {
  const shipped = projectFiles().filter(
    (path) => /^(actors|connectors|runtime|state)\//.test(path) && isScript(path) && !isGenerated(path),
  );
  const casts = shipped.filter((path) => /\bas (unknown|any|never) as\b/.test(readFileSync(join(ROOT, path), 'utf8')));
  expect(casts).toEqual([]);
});
