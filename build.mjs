/**
 * Builds dist/, unless it was built from what is here now: a hash of all that goes in stands in dist/.built-from.
 *
 * npm runs this as `prepare`. The first `npx rivulet` in a clone does so too, beside a node that may run from dist/: then any dist/ will do.
 * A build is made in a folder of its own and takes dist/'s place when it is whole: who runs from dist/, or builds at the same time, finds all of one build.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const ROOT = import.meta.dirname;
const at = (...path) => join(ROOT, ...path);
const INPUTS = ['actors', 'connectors', 'proto', 'runtime', 'state', 'test', 'package.json'];
/** Tests are not compiled, documents not shipped in dist/. */
const NO_INPUT = /\.test\.ts$|\.md$|\.snap$|\/fixtures\//;
/** What npm has installed: the bundle contains some of it. */
const INSTALLED = 'node_modules/.package-lock.json';
const STAMP = '.built-from';
const TEMPORARY = /^\.dist-(\d+)(-old)?$/;

const { npm_command: command, npm_lifecycle_event: event } = process.env;
if (command === 'exec' && event === 'prepare' && existsSync(at('dist/bin/rivulet.js'))) process.exit();
const inputs = hashOfInputs();
if (stampOf(at('dist')) === inputs) process.exit();
console.log('building dist/ …');
removeLeftovers();
const next = at(`.dist-${process.pid}`);
process.on('exit', () => rmSync(next, { recursive: true, force: true }));
// What was compiled before, so that the compiler does only what has changed.
if (existsSync(at('dist/.tsbuildinfo'))) cpSync(at('dist'), next, { recursive: true, preserveTimestamps: true });
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
run(compiler, '-p', 'tsconfig.build.json', '--outDir', next, '--tsBuildInfoFile', join(next, '.tsbuildinfo'));
removeOrphans(next);
run('bundle.mjs', next);
run('bundle-page.mjs', join(next, 'page'));
run('bundle-docs.mjs', join(next, 'docs'));
writeFileSync(join(next, STAMP), inputs);
putInPlace(next);

function run(...args) {
  try {
    execFileSync(process.execPath, args, { cwd: ROOT, stdio: 'inherit' });
  } catch ({ status }) {
    // It has said what is wrong.
    process.exit(status || 1);
  }
}

function hashOfInputs() {
  const hash = createHash('sha256');
  const root = readdirSync(ROOT).filter((name) => /^(tsconfig.*\.json|.*\.mjs)$/.test(name));
  const folders = INPUTS.filter((name) => existsSync(at(name)));
  const files = [...folders.flatMap(filesOf), ...root, ...(existsSync(at(INSTALLED)) ? [INSTALLED] : [])];
  for (const file of files.sort())
    hash
      .update(`${file}\0`)
      .update(readFileSync(at(file)))
      .update('\0');
  return hash.digest('hex');
}

function filesOf(path) {
  if (NO_INPUT.test(path)) return [];
  return path.includes('.')
    ? [path]
    : readdirSync(at(path), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length + 1))
        .filter((file) => !NO_INPUT.test(file));
}

function stampOf(folder) {
  const stamp = join(folder, STAMP);
  return existsSync(stamp) ? readFileSync(stamp, 'utf8') : undefined;
}

/** Of sources that are there no more: the compiler leaves what it has once made of them. */
function removeOrphans(folder) {
  for (const top of ['actors', 'connectors', 'proto', 'runtime', 'state', 'test']) {
    if (!existsSync(join(folder, top))) continue;
    for (const entry of readdirSync(join(folder, top), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const made = join(entry.parentPath, entry.name);
      const source = at(made.slice(folder.length + 1).replace(/(\.d\.ts|\.js(\.map)?)$/, '.ts'));
      if (!existsSync(source)) rmSync(made);
    }
  }
}

/** Of builds that were killed. */
function removeLeftovers() {
  for (const name of readdirSync(ROOT)) {
    const pid = TEMPORARY.exec(name)?.[1];
    if (pid !== undefined && !runs(Number(pid))) rmSync(at(name), { recursive: true, force: true });
  }
}

function runs(pid) {
  try {
    return process.kill(pid, 0);
  } catch ({ code }) {
    return code === 'EPERM';
  }
}

/** Another build may do the same at this moment: the first of the same inputs stays, since somebody may be starting from it already. */
function putInPlace(folder) {
  const old = `${folder}-old`;
  for (;;) {
    try {
      renameSync(folder, at('dist'));
      break;
    } catch ({ code }) {
      if (code !== 'ENOTEMPTY' && code !== 'EEXIST')
        throw new Error(`cannot put ${folder} in the place of dist/: ${code}`);
    }
    if (stampOf(at('dist')) === inputs) return;
    try {
      renameSync(at('dist'), old);
    } catch ({ code }) {
      if (code !== 'ENOENT') throw new Error(`cannot put dist/ aside: ${code}`);
    }
    rmSync(old, { recursive: true, force: true });
  }
}
