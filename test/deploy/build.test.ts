/** When dist/ is built and when it is left alone, in a clone: by npm start, by the first npx, by two builds at once; and what a package holds. */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type Running, startProgram } from '../cli/run-cli.js';
import { projectFiles, ROOT } from '../guards/source-files.js';

const MS_MAX = 600_000;
const folder = mkdtempSync(join(tmpdir(), 'rivulet-build-'));
const running: Running[] = [];
afterAll(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** A clone, installed and built. */
const clone = join(folder, 'clone');
for (const path of projectFiles()) {
  mkdirSync(dirname(join(clone, path)), { recursive: true });
  cpSync(join(ROOT, path), join(clone, path));
}
cpSync(join(ROOT, 'dist'), join(clone, 'dist'), { recursive: true, preserveTimestamps: true });
symlinkSync(join(ROOT, 'node_modules'), join(clone, 'node_modules'));

/** The caches are the test's own: npx keeps a link to each clone that it was called in. */
const ENV = { npm_config_cache: join(folder, 'cache'), npm_config_audit: 'false', npm_config_update_notifier: 'false' };
const NODE_ENV = { RIVULET_HTTP_PORT: '0', RIVULET_GRPC_PORT: '0' };

async function done(
  cwd: string,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = ENV,
): Promise<string> {
  const { code, stdout, stderr } = await startProgram(cwd, command, args, env).ended;
  expect(code, stderr).toBe(0);
  return stdout;
}

function startNode(cwd: string, args: readonly string[]): Running {
  const node = startProgram(cwd, process.execPath, args, NODE_ENV);
  running.push(node);
  return node;
}

/** Of every file: which one it is, and when it was written. */
function filesOfDist(): string[] {
  return readdirSync(join(clone, 'dist'), { recursive: true, encoding: 'utf8' })
    .map((path) => {
      const { ino, mtimeMs } = statSync(join(clone, 'dist', path));
      return `${path} ${ino} ${mtimeMs}`;
    })
    .sort();
}

describe('in a clone', { timeout: MS_MAX }, () => {
  it('the first npx leaves dist/ alone under a node, whatever has changed', async () => {
    appendFileSync(join(clone, 'runtime/contract/version.ts'), "export const ADDED = 'added under a running node';\n");
    const node = startNode(clone, ['dist/bin/rivulet.js', 'start', '--data-dir', join(folder, 'data')]);
    await node.printed(/rivulet is up/);
    const before = filesOfDist();
    expect(await done(clone, 'npx', ['rivulet', '--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(filesOfDist()).toEqual(before);
  });

  it('npm start builds what has changed, beside another that does so too, and nothing when nothing has', async () => {
    writeFileSync(join(clone, 'dist/runtime/removed-from-the-sources.js'), '');
    const starts = await Promise.all([1, 2].map(() => done(clone, 'npm', ['start', '--', '--help'])));
    for (const start of starts) expect(start).toMatch(/building dist[^]*Usage: rivulet demo/);
    expect(readdirSync(clone).filter((name) => name.startsWith('.dist-'))).toEqual([]);
    expect(readdirSync(join(clone, 'dist/runtime'))).not.toContain('removed-from-the-sources.js');

    const before = filesOfDist();
    expect(await done(clone, 'npm', ['start', '--', '--help'])).not.toMatch(/building/);
    expect(filesOfDist()).toEqual(before);
    // The node has run all the while.
    const [node] = running;
    node!.child.kill('SIGTERM');
    expect((await node!.ended).code).toBe(0);
  });

  it('npm pack makes a package that is installed in an empty folder, and works there', async () => {
    const packed = await done(clone, 'npm', ['pack', '--silent', '--pack-destination', folder]);
    const empty = join(folder, 'empty');
    mkdirSync(empty);
    const tarball = join(folder, packed.trim().split('\n').at(-1)!);
    // With the cache of this machine: its dependencies were just installed.
    await done(empty, 'npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], {});
    const dist = join(empty, 'node_modules/rivulet/dist');
    expect(readdirSync(dist).sort()).toEqual([
      'actors',
      'bin',
      'connectors',
      'docs',
      'page',
      'proto',
      'runtime',
      'state',
    ]);
    expect(readFileSync(join(dist, 'runtime/contract/version.js'), 'utf8')).toContain('added under a running node');
    expect(await done(empty, 'npx', ['rivulet', '--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
    const demo = startNode(empty, ['node_modules/.bin/rivulet', 'demo']);
    await demo.printed(/http:\/\/127\.0\.0\.1:\d+/);
    demo.child.kill('SIGTERM');
    expect((await demo.ended).code).toBe(0);
  });
});
