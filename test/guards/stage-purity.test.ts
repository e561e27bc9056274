/** The files of actors/ are pure, checked over the real sources, and proven on sources that are not. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isScript, projectFiles, ROOT } from './source-files.js';
import { impuritiesOf } from './stage-purity.js';

it('the sources of actors/ are pure', () => {
  const paths = projectFiles().filter((path) => path.startsWith('actors/') && isScript(path));
  const findings = paths.flatMap((path) =>
    impuritiesOf(path, readFileSync(join(ROOT, path), 'utf8')).map(
      ({ what, why, line }) => `${path}:${line} ${what}: ${why}`,
    ),
  );
  expect(paths).toContain('actors/model.ts');
  expect(findings).toEqual([]);
});

// prettier-ignore
/** [what is found, source]: each gives exactly this one finding. */
const IMPURE: readonly (readonly [string, string])[] = [
  ['Date', `const t = Date.now();`],
  ['Date', `const t = Date['now']();`],
  ['Date', `const t = Date?.now();`],
  ['Date', `const t = new Date();`],
  ['Date', `const t = new Date;`],
  ['Date', `const t = Date();`],
  ['Date', `const t = new Date(2026, 0, 1);`],
  ['Date', `const t = new Date(...none);`],
  ['Date', `const { now } = Date;`],
  ['Date', `class Instant extends Date {}`],
  ['Math.random', `const r = Math.random();`],
  ['Math.random', `const r = Math['random']();`],
  ['Math.random', `const draw = Math.random;`],
  ['Math.random', `const { random } = Math;`],
  ['performance', `const t = performance.now();`],
  ['process', `const e = process.env.HOME;`],
  ['process', `const e = process.hrtime();`],
  ['process', `const e = { process };`],
  ['process', `function f(process: string) { return process; } const e = process.pid;`],
  ['globalThis', `const e = globalThis.process;`],
  ['global', `const e = global.process;`],
  ['setTimeout', `setTimeout(() => undefined, 1);`],
  ['setInterval', `setInterval(() => undefined, 1);`],
  ['setImmediate', `setImmediate(() => undefined);`],
  ['queueMicrotask', `queueMicrotask(() => undefined);`],
  ['crypto', `const id = crypto.randomUUID();`],
  ['fetch', `const answer = fetch(url);`],
  ['import.meta', `const here = import.meta.url;`],
  ['Promise', `const later = Promise.resolve(1);`],
  ['async', `const f = async () => 1;`],
  ['await', `const one = await two;`],
  ['await', `for await (const one of many) use(one);`],
  ['localeCompare', `const sorted = ids.sort((a, b) => a.localeCompare(b));`],
  ['toLocaleString', `const text = price.toLocaleString();`],
  ['Intl', `const collator = new Intl.Collator();`],

  ['all of rxjs', `import * as rx from 'rxjs';`],
  ['all of rxjs', `export * from 'rxjs';`],
  ['all of rxjs/operators', `export * as rx from 'rxjs/operators';`],
  ['rxjs scan', `export { scan } from 'rxjs';`],
  ['rxjs scan', `import { scan as processor } from 'rxjs/operators';`],
  ...[
    ...['scan', 'mergeScan', 'groupBy', 'buffer', 'bufferCount', 'bufferTime', 'bufferToggle', 'bufferWhen'],
    ...['distinct', 'distinctUntilChanged', 'distinctUntilKeyChanged', 'share', 'shareReplay', 'publish', 'pairwise'],
    ...['window', 'windowCount', 'windowTime', 'windowToggle', 'windowWhen', 'withLatestFrom', 'combineLatest', 'zip'],
    ...['ReplaySubject', 'BehaviorSubject', 'retry', 'retryWhen', 'repeat', 'repeatWhen'],
    ...['timer', 'interval', 'delay', 'debounceTime', 'throttleTime', 'auditTime', 'timeout', 'asyncScheduler'],
  ].map((name): [string, string] => [`rxjs ${name}`, `import { map, ${name} } from 'rxjs';`]),
];

const PURE: readonly string[] = [
  `// Date.now() and Math.random() in a comment
   const text = 'process.env and new Date()';`,
  `const at = new Date(0); const end = Date.UTC(2026, 0, 1); const start = Date.parse(text); at instanceof Date;`,
  `const top = Math.max(1, Math.floor(2)) * Math['PI'];`,
  `const row = { process: 1, performance: 2 }; row.process += row['performance']; const { process: done } = row;`,
  `const window = 1; const global = { window }; export const run = (process: number, { random }: Row) => process + random;`,
  `let typed: Date; interface Clock extends Date { performance: typeof performance } type Later = Promise<typeof process>;`,
  `import { filter, map, merge, mergeMap, Observable, Subject, type BehaviorSubject } from 'rxjs';`,
  `import type { ReplaySubject } from 'rxjs'; import { scan, window } from './operators/windows.js'; scan(window);`,
];

describe('the guard', () => {
  it.each(IMPURE)('finds %s in: %s', (what, text) => {
    expect(impuritiesOf('actors/window.ts', text).map((one) => one.what)).toEqual([what]);
  });

  it.each(PURE)('finds nothing in: %s', (text) => {
    expect(impuritiesOf('actors/window.ts', text)).toEqual([]);
  });

  it('names the line and the reason', () => {
    const text = `import { map } from 'rxjs';\n\nexport const now = () => Date.now();\n`;
    expect(impuritiesOf('actors/window.ts', text)).toEqual([
      { what: 'Date', why: expect.stringContaining('a clock'), line: 3 },
    ]);
  });
});
