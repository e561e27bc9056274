/** No file imports itself by way of others, types included: what belongs to two files in a circle can be told apart by nobody. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { isScript, projectFiles, ROOT } from './source-files.js';
import { importsOf, withoutExtension } from './source-imports.js';

const FOLDERS = ['actors/', 'runtime/', 'connectors/', 'state/'];

/**
 * Files in circles, and those on a way from one circle to another, each with what it imports of them: what is left when files that import
 * nothing, and files that nothing imports, are taken away again and again.
 */
function circlesIn(sources: ReadonlyMap<string, string>): string[] {
  const left = new Map<string, string[]>();
  for (const [path, text] of sources) {
    const targets = importsOf(path, text).map(({ target }) => target);
    left.set(withoutExtension(path), [...new Set(targets)]);
  }
  for (let before = Infinity; left.size < before;) {
    before = left.size;
    for (const [path, targets] of left) {
      const known = targets.filter((target) => left.has(target));
      left.set(path, known);
      if (known.length === 0) left.delete(path);
    }
    const imported = new Set([...left.values()].flat());
    for (const path of left.keys()) if (!imported.has(path)) left.delete(path);
  }
  return [...left].map(([path, targets]) => `${path} -> ${targets.join(', ')}`).sort();
}

const paths = projectFiles().filter((path) => isScript(path) && FOLDERS.some((folder) => path.startsWith(folder)));

it('no file is in a circle of imports', () => {
  expect(paths).toContain('runtime/actor/processor.ts');
  expect(circlesIn(new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')])))).toEqual([]);
});

it('the guard finds a circle of types, of what is loaded late and of what is passed on', () => {
  const circle = [
    ['runtime/a.ts', `import type { B } from './b.js';`],
    ['runtime/b.ts', `export const c = () => import('../state/c.js');`],
    ['state/c.ts', `export * from '../runtime/a.js';`],
  ] as const;
  const around = [
    ['runtime/above.ts', `import { a } from './a.js';`],
    ['state/c.tsx', ''],
    ['runtime/below.ts', `import { x } from 'rxjs';`],
  ] as const;
  expect(circlesIn(new Map(circle))).toEqual([
    'runtime/a -> runtime/b',
    'runtime/b -> state/c',
    'state/c -> runtime/a',
  ]);
  expect(circlesIn(new Map([...circle, around[0], around[2]]))).toHaveLength(3);
  expect(circlesIn(new Map([...circle.slice(0, 2), ...around]))).toEqual([]);
});
