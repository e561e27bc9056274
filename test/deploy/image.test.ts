/** deploy/Dockerfile: what a linter says of it, and that what it copies and runs gives a node that starts. */
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../../connectors/nats/provision/command.js';
import { startProgram } from '../cli/run-cli.js';
import { projectFiles, ROOT } from '../guards/source-files.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { answerOf, commandOf, hadolint, missingTool } from './deploy-tools.js';
import { textOfFile } from './deploy-files.js';
import { contextOf, type DockerStage, play, type Played, stagesOf } from './dockerfile.js';
import { skipped } from '../support/requirements.js';

const FILE = 'deploy/Dockerfile';
const BUILD_MS_MAX = 400_000;

const linter = await hadolint();
const stages = stagesOf(textOfFile(FILE));
const runtime = stages.at(-1)!;
const told = ({ instructions }: DockerStage, name: string): string[] =>
  instructions.filter((one) => one.name === name).map(({ text }) => text);

it.skipIf('missing' in linter)(`the linter finds nothing${skipped(missingTool(linter))}`, async () => {
  const { code, stdout } = await answerOf(commandOf(linter), ['--failure-threshold', 'info', join(ROOT, FILE)]);
  expect([code, stdout]).toEqual([0, '']);
});

describe('an image', () => {
  it('runs as nobody special, stops when it is told to, and says how it is', () => {
    // A number: Kubernetes cannot know that a name is not root's.
    expect(told(runtime, 'USER')).toEqual(['1000:1000']);
    expect(told(runtime, 'STOPSIGNAL')).toEqual(['SIGTERM']);
    expect(told(runtime, 'HEALTHCHECK')).toHaveLength(1);
    // Not through a shell, which would keep the signal to itself.
    expect(JSON.parse(told(runtime, 'ENTRYPOINT')[0]!)).toEqual(['node', '/app/dist/bin/rivulet.js']);
  });

  it('is of one version of Node, which Rivulet supports', () => {
    const bases = new Set(stages.map(({ base }) => base));
    expect([...bases]).toEqual([expect.stringMatching(/^node:(2[02468])\.\d+\.\d+-bookworm-slim$/)]);
  });

  it('takes nothing from outside of the context that .dockerignore names, and no secret fits in there', () => {
    const allowed = contextOf(textOfFile('.dockerignore'));
    for (const path of allowed) expect(path).not.toMatch(/^(\*|\.|deploy$|test)|env|secret|\.key$|\.pem$/);
  });
});

describe('its COPY and RUN lines, in a folder', { timeout: BUILD_MS_MAX }, () => {
  let folder: string;
  let image: Played;
  let nats: TestNats;

  beforeAll(async () => {
    nats = await startTestNats();
    folder = await mkdtemp(join(tmpdir(), 'rivulet-image-'));
    const context = join(folder, 'context');
    await takeContext(context);
    image = await play(stages, context, folder, shell);
  }, BUILD_MS_MAX);
  afterAll(async () => {
    await nats.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  it('leave no tests, no sources and no tools of developers in the image', async () => {
    expect((await readdir(image.at('/app'))).sort()).toEqual(
      [
        'LICENSE',
        'README.md',
        'dist',
        'node_modules',
        'package-lock.json',
        'package.json',
        'probe.mjs',
        'proto',
      ].sort(),
    );
    expect(await readdir(image.at('/app/dist'))).not.toContain('test');
    const { devDependencies } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
      devDependencies: Record<string, string>;
    };
    const installed = await readdir(image.at('/app/node_modules'));
    expect(installed).toEqual(expect.arrayContaining(['classic-level', 'pino']));
    const tools = ['typescript', 'vitest', 'eslint', 'playwright-core'].filter((name) => name in devDependencies);
    expect(tools).not.toEqual([]);
    expect(installed.filter((name) => tools.includes(name))).toEqual([]);
    expect(await readdir(image.at('/var/lib/rivulet'))).toEqual([]);
  });

  it('are enough for a node to start, to be asked how it is, and to stop', async () => {
    const inside = (path: string): string => (path.startsWith('/') ? image.at(path) : path);
    const [program, ...args] = [...image.entrypoint, ...image.command].map(inside);
    expect(program).toBe('node');
    const env = {
      ...image.env,
      RIVULET_DATA_DIR: image.at(image.env.RIVULET_DATA_DIR!),
      RIVULET_NATS_URL: nats.url,
      RIVULET_GRPC_PORT: '0',
      RIVULET_HTTP_PORT: '0',
    };
    const running = startProgram(image.at('/'), process.execPath, args, env);
    await running.printed(/rivulet is up/);
    running.child.kill('SIGTERM');
    const { code, stderr } = await running.ended;
    expect(code).toBe(0);
    // All addresses, and nobody is asked who they are: it says so.
    expect(stderr).toMatch(/whoever reaches this port/);
  });
});

/** What the engine would send: of the project's files, those that .dockerignore lets in. */
async function takeContext(to: string): Promise<void> {
  const allowed = contextOf(textOfFile('.dockerignore'));
  const lets = (path: string): boolean => allowed.some((one) => path === one || path.startsWith(`${one}/`));
  for (const path of projectFiles().filter(lets)) {
    await mkdir(dirname(join(to, path)), { recursive: true });
    await cp(join(ROOT, path), join(to, path));
  }
}

/** `npm ci` of all is what this very run stands on: its modules are taken. The one of the image's own is run. */
async function shell(command: string, cwd: string): Promise<void> {
  if (/^npm ci (?!.*--prefix)/.test(command)) {
    await symlink(join(ROOT, 'node_modules'), join(cwd, 'node_modules'));
    return;
  }
  await runCommand('bash', ['-euo', 'pipefail', '-c', command], { cwd, env: process.env, timeoutMs: BUILD_MS_MAX });
}

it('the lock file has all that its packages ask for, on every platform: npm ci refuses it otherwise', () => {
  const { packages } = JSON.parse(textOfFile('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const there = Object.keys(packages);
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => !there.some((path) => path.endsWith(`node_modules/${name}`)));
  expect(missing).toEqual([]);
});
