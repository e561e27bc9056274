/** What every tracked file keeps to: its size, its name, and nothing in it of the machine it was written on. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join, posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isGenerated, projectFiles, ROOT, trackedText } from './source-files.js';

const LOCKFILE = 'package-lock.json';

/** Names that a tool, a language or a format fixes; recorded data keeps the names it was recorded with. */
const NAME_FIXED =
  /^(README|CHANGELOG|DECISIONS|UPGRADING|SECURITY)\.md$|^(LICENSE|NOTICE|Dockerfile|Makefile|CODEOWNERS)$/;
const FOLDER_FIXED = /^__snapshots__$/;
const DATA = /(^|\/)fixtures\//;
const KEBAB = /^\.?[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+(-[a-z0-9]+)*)*$/;
/** Protobuf's own rule, which `buf lint` also checks; what Python and Go import by; and the names of the contracts of events. */
const SNAKE = /^[a-z0-9]+(_[a-z0-9]+)*\.(proto|py|go)$|^[a-z]+_event\.json$/;
/** A file of Java is named by its class. */
const PASCAL = /^([A-Z][a-z0-9]*)+\.java$/;
const SAYS_NOTHING = /(^|[-_.])(utils?|helpers?|common|misc)([-_.]|$)/;

/** Folders of people and machines, private addresses. The examples of documents use example.com and 192.0.2.0/24. */
const MACHINE: readonly RegExp[] = [
  /(?<![\w./-])(?:file:\/\/)?\/(?:work|root)(?:\/[\w.-]*|(?=['"`\s]|$))/m,
  /(?<![\w./-])(?:file:\/\/)?\/(?:home\/(?!node\b)|Users\/)[\w.-]+/,
  /\b[A-Z]:\\+Users\\+\w+/,
  /(?<![\d.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2})(?![\d.]|\/\d)/,
];

function nameProblem(path: string): string | undefined {
  const name = posix.basename(path);
  const folders = path.split('/').slice(0, -1);
  if (SAYS_NOTHING.test(path.replaceAll('/', '.'))) return 'says nothing: name it by the noun it exports';
  if (!folders.every((folder) => KEBAB.test(folder) || FOLDER_FIXED.test(folder))) return 'a folder is not kebab-case';
  return NAME_FIXED.test(name) || [KEBAB, SNAKE, PASCAL].some((one) => one.test(name))
    ? undefined
    : 'is not kebab-case';
}

function machineTraces(text: string, machineName: string): string[] {
  const traces = MACHINE.flatMap((pattern) => pattern.exec(text)?.[0] ?? []);
  if (isDistinctive(machineName) && text.includes(machineName)) traces.push(machineName);
  return traces;
}

/** A generated host name, as of a container; `localhost` or `web` would be found everywhere. */
const isDistinctive = (machineName: string): boolean => machineName.length >= 8 && /\d/.test(machineName);

describe('tracked files', () => {
  const paths = projectFiles();
  const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
  const texts = (): [string, string][] =>
    paths
      .filter((path) => path !== LOCKFILE)
      .map((path): [string, string] => [path, read(path)])
      .filter(([, text]) => !text.includes('\0'));

  it('are found', () => {
    expect(paths).toContain('package.json');
    expect(paths).toContain('test/guards/files.test.ts');
  });

  it('carry kebab-case names that say something', () => {
    const bad = paths
      .filter((path) => !isGenerated(path) && !DATA.test(path))
      .flatMap((path) => (nameProblem(path) === undefined ? [] : `${path} ${nameProblem(path)}`));
    expect(bad).toEqual([]);
  });

  it('name no machine', () => {
    const bad = texts().flatMap(([path, text]) => machineTraces(text, hostname()).map((trace) => `${path} ${trace}`));
    expect(bad).toEqual([]);
  });

  it('take packages from the public registry', () => {
    const lock = trackedText(LOCKFILE);
    const hosts = Array.from(lock.matchAll(/"resolved": "\w[\w+]*:\/\/([^/"]+)/g), ([, host]) => host);
    expect(hosts.filter((host) => host !== 'registry.npmjs.org')).toEqual([]);
    expect(paths.filter((path) => posix.basename(path) === '.npmrc')).toEqual([]);
  });
});

describe('the guard', () => {
  it.each([
    ...['actors/popularityJoin.ts', 'actors/popularity_join.ts', 'actors/Window.ts', 'Actors/window.ts'],
    ...['runtime/utils.ts', 'runtime/string-utils.ts', 'state/helpers/keys.ts', 'test/helper.ts', 'test/misc.test.ts'],
    ...['actors/common.ts', 'deploy/k8s/common.yaml', 'proto/rivulet/v1/userEvent.proto', 'docs/Notes.md'],
  ])('refuses the name %s', (path) => {
    expect(nameProblem(path)).toBeDefined();
  });

  it.each([
    ...['actors/popularity-join.ts', 'actors/README.md', 'test/popularity-join.test.ts', 'vitest.config.ts', 'LICENSE'],
    ...[
      '.ci/run',
      '.prettierrc.json',
      'deploy/Dockerfile',
      'proto/rivulet/v1/user_event.proto',
      'deploy/k8s/node.yaml',
      'deploy/clients/java/src/main/java/example/RivuletExample.java',
    ],
    ...['runtime/miscount.ts', 'test/__snapshots__/topology.test.ts.snap'],
  ])('accepts the name %s', (path) => {
    expect(nameProblem(path)).toBeUndefined();
  });

  const absolute = (...parts: string[]): string => ['', ...parts].join('/');
  const address = (...parts: number[]): string => parts.join('.');

  it.each([
    `const data = '${absolute('work', 'shared')}';`,
    `cd ${absolute('root', '')}`,
    `cwd: "${absolute('work')}"`,
    `store: ${absolute('home', 'ada', 'rivulet')}`,
    `file://${absolute('Users', 'ada')}`,
    ['C:', 'Users', 'ada'].join('\\'),
    `nats://${address(10, 1, 2, 3)}:4222`,
    `http://${address(192, 168, 0, 7)}/`,
    'built on b2f4c6d8e0a1',
  ])('finds the machine in: %s', (text) => {
    expect(machineTraces(text, 'b2f4c6d8e0a1')).toHaveLength(1);
  });

  it.each([
    ...['src/work/queue.ts', 'https://example.com/work/x', '127.0.0.1:4222', '0.0.0.0', '192.0.2.10', 'the root/leaf'],
    ...[`allow ${address(10, 0, 0, 0)}/8`, absolute('home', 'node', 'app'), absolute('rooted'), '/worker/ready'],
  ])('finds no machine in: %s', (text) => {
    expect(machineTraces(text, 'localhost')).toEqual([]);
  });
});
