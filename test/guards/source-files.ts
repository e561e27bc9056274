/** The project's files as the guards see them: what git tracks, plus what is new and not ignored. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = join(import.meta.dirname, '..', '..');

const IGNORED_FOLDERS = new Set(['.git', 'node_modules', 'dist', 'coverage', '.rivulet']);
const SCRIPT = /\.[cm]?[jt]sx?$/;

/** Paths from the root, with `/`, sorted. Without git (an archive, an image build) it walks the folders. */
export function projectFiles(): string[] {
  const paths = gitFiles() ?? walk('');
  return paths.filter((path) => existsSync(join(ROOT, path))).sort();
}

export const isScript = (path: string): boolean => SCRIPT.test(path);
export const isGenerated = (path: string): boolean => path.startsWith('proto/gen/') || path === 'package-lock.json';

/** A file as git has it: an install may have rewritten the one on disk, with the hosts of this network. */
export function trackedText(path: string): string {
  return git('show', `:${path}`) ?? readFileSync(join(ROOT, path), 'utf8');
}

function gitFiles(): string[] | undefined {
  const listing = git('ls-files', '-z', '--cached', '--others', '--exclude-standard');
  return listing === undefined ? undefined : [...new Set(listing.split('\0'))].filter((path) => path !== '');
}

function git(...args: string[]): string | undefined {
  // An enclosing repository would answer for an unpacked archive and know none of its files.
  if (!existsSync(join(ROOT, '.git'))) return undefined;
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 2 ** 26,
    });
  } catch {
    return undefined;
  }
}

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return IGNORED_FOLDERS.has(entry.name) ? [] : walk(path);
    return entry.isFile() ? [path] : [];
  });
}
