/** That `buf lint` and `buf breaking`, as `npm run verify` calls them, refuse what would hurt clients of the API, and that `proto/gen` is what `buf generate` makes of the contracts. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { projectFiles, ROOT } from './source-files.js';

const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  scripts: Readonly<Record<string, string>>;
};

/** The files of the project that match, in a new folder. */
function copyOf(files: RegExp): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-proto-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // Without git: what a release is compared with must be there in an archive, too.
  for (const file of projectFiles().filter((one) => files.test(one))) cpSync(join(ROOT, file), join(folder, file));
  return folder;
}

/** Runs a script of package.json that calls a tool of ours there. */
function run(script: string, folder: string): void {
  const [command, ...args] = scripts[script]!.split(' ');
  const bin = join(ROOT, 'node_modules', '.bin');
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}` };
  execFileSync(join(bin, command!), args, { cwd: folder, encoding: 'utf8', env });
}

/** What a script of package.json says of the contracts when this is changed in one of them; '' when it has nothing against it. */
function verdict(script: string, path: string, from: string | RegExp, to: string): string {
  const folder = copyOf(/^proto\/.*\.(proto|binpb)$|^buf\.yaml$/);
  const before = readFileSync(join(folder, path), 'utf8');
  const after = before.replace(from, to);
  expect(after).not.toBe(before);
  writeFileSync(join(folder, path), after);
  try {
    run(script, folder);
    return '';
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

const API = 'proto/rivulet/v1/recommendation_service.proto';

it.each([
  ['a field with another number', 'double score = 3;', 'double score = 13;', /"3" with name "score"/],
  ['a field of another type', 'int32 limit = 2;', 'string limit = 2;', /changed type from "int32" to "string"/],
  ['a field that is gone', /.*exclude_seen = 4;/, '', /"4" with name "exclude_seen"/],
  ['a call that is gone', /  rpc GetRecommendations\(.*\n/, '', /RPC "GetRecommendations".*deleted/],
])('a contract is refused that breaks clients: %s', (_, from, to, says) => {
  expect(verdict('breaking:proto', API, from, to)).toMatch(says);
});

it('a contract may grow', () => {
  expect(
    verdict('breaking:proto', API, 'string model = 4;', 'string model = 4;\n  // New.\n  string region = 99;'),
  ).toBe('');
});

it.each([
  ['field', 'proto/rivulet/v1/event.proto', /(\n *\/\/.*)+(\n +string user_id = 4;)/],
  ['value', 'proto/rivulet/v1/event.proto', /(\n *\/\/.*)+(\n +EVENT_TYPE_VIEW = 1;)/],
  ['call', API, /(\n *\/\/.*)+(\n +rpc GetRecommendations\()/],
  ['message', 'proto/rivulet/v1/trending_service.proto', /(\n\/\/.*)+(\nmessage TrendingDelta )/],
])('a %s that is not explained is refused', (_, path, commented) => {
  expect(verdict('lint:proto', path, commented, '$2')).toMatch(/should have a non-empty comment/);
});

it('the generated code is that of the contracts', () => {
  const folder = copyOf(/^proto\/.*\.proto$|^buf(\.gen)?\.yaml$/);
  run('generate', folder);
  const generated = readdirSync(join(folder, 'proto/gen'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => `proto/gen/${path}`);
  const checkedIn = projectFiles().filter((path) => path.startsWith('proto/gen/'));
  expect(generated.sort(), 'run `npm run generate`').toEqual(checkedIn.sort());
  const stale = generated.filter(
    (path) => readFileSync(join(folder, path), 'utf8') !== readFileSync(join(ROOT, path), 'utf8'),
  );
  expect(stale, 'run `npm run generate`').toEqual([]);
});
