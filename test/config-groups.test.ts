/** Groups of settings hold keys, and are none: what is said to who takes one for the other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { CONFIG_KEYS } from '../runtime/config/schema.js';
import { fromFile, fromFlags } from '../runtime/config/sources.js';

const problemsOfSet = (key: string): string[] => {
  const problems: string[] = [];
  fromFlags([{ key, value: '5', bySet: true }], problems);
  return problems;
};

it('a group that is set is told as one, with the keys that it has', () => {
  const keys = CONFIG_KEYS.map(({ key }) => key).filter((key) => key.startsWith('limits.'));
  expect(keys.length).toBeGreaterThan(1);
  expect(problemsOfSet('limits')).toEqual([`limits (--set) is a group: set ${keys.join(', ')}`]);
  expect(problemsOfSet('pipeline.window').join()).toMatch(/is a group: set .*pipeline\.window\.sizeSeconds/);
});

it.each(['limit', 'limts', 'pipelin', 'connection'])('--set %s=5 is never answered with the name of a group', (key) => {
  const [problem] = problemsOfSet(key);
  const meant = /did you mean (\S+)\?$/.exec(problem!)?.[1];
  if (meant !== undefined) expect(CONFIG_KEYS.map((one) => one.key)).toContain(meant);
  expect(problem).toMatch(/^there is no key /);
});

it('a file may have meant one, where it has an object', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-config-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'rivulet.json'), JSON.stringify({ limts: { callsPerSecond: 5 } }));
  const problems: string[] = [];
  fromFile('rivulet.json', folder, problems);
  expect(problems).toEqual(['there is no key limts (rivulet.json): did you mean limits?']);
});
