/**
 * Checks the files of a LevelDB directory. LevelDB itself checks only its manifest: after a flipped bit in a filter or a key, an existing entry is
 * reported as missing, and of a log with damage in the middle, the damaged part is skipped silently.
 *
 * Invariants
 *   FILE-CHECK-1  All files are checked before LevelDB opens the directory, unless they are unchanged since LevelDB closed it (`closed.json`: size and
 *                 time of each file). So no read uses a file that was truncated, lost or written by others, and LevelDB never copies damage.
 *   FILE-CHECK-2  A finding changes nothing on disk. Each start finds it again, until the files are sound or set aside.
 *   FILE-CHECK-3  A log with a torn end is sound: that write was never acknowledged. A log with damage in its last writes passes as well: the store is
 *                 then at an earlier snapshot, and the mailbox replays what follows, or the start is refused (LOG_GAP).
 *
 * Not found at a start: bits that a disk loses without an error in files that LevelDB has closed (`rivulet state verify` finds them); files that were
 * replaced, together with their manifest, by older ones of the same store; bits that flip in memory.
 */
import { type FileHandle, open, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { asError } from '../runtime/contract/errors.js';
import { batchSequences, logRecords, type Manifest, manifestOf, tableProblem } from './leveldb-files.js';

/** Bytes checked before other work gets its turn. */
const TURN_BYTES = 1024 * 1024;

const CLOSED = 'closed.json';
/** The files of a store; LevelDB's info log and lock do not count. */
const STORE_FILE = /^(CURRENT|MANIFEST-\d+|\d+\.(ldb|sst|log))$/;

/** Records in the directory that LevelDB has closed it: the next start need not check its files. */
export async function markClosed(directory: string): Promise<void> {
  await writeFile(join(directory, CLOSED), await filesNow(directory));
}

/** Whether the files are unchanged since LevelDB closed them. */
export async function isAsClosed(directory: string): Promise<boolean> {
  const closed = await readFile(join(directory, CLOSED), 'utf8').catch(absent);
  return closed !== undefined && closed === (await filesNow(directory));
}

/** Size and modification time of each file, by name. */
async function filesNow(directory: string): Promise<string> {
  const names = (await readdir(directory)).filter((name) => STORE_FILE.test(name)).sort();
  const files: [string, number, number][] = [];
  for (const name of names) {
    const file = await stat(join(directory, name)).catch(absent);
    if (file !== undefined) files.push([name, file.size, file.mtimeMs]);
  }
  return JSON.stringify(files);
}

/** All damage in the files of a directory; reads every byte. Nothing may write to the directory meanwhile. */
export async function* fileProblems(directory: string): AsyncGenerator<string> {
  const { problem, manifest } = await journals(directory);
  if (problem !== undefined) yield problem;
  for (const [number, bytes] of manifest?.tables ?? []) {
    const table = await openTable(directory, number);
    if (table === undefined) {
      yield `${tableName(number)} is missing`;
      continue;
    }
    const content = await table.handle.readFile().finally(() => table.handle.close());
    const wrong =
      content.length === bytes
        ? await tableProblem(content, yielded, TURN_BYTES)
        : `it has ${content.length} bytes instead of ${bytes}`;
    if (wrong !== undefined) yield `${table.name}: ${wrong}`;
    await yielded();
  }
}

const tableName = (number: number, ending = 'ldb'): string => `${String(number).padStart(6, '0')}.${ending}`;

async function openTable(
  directory: string,
  number: number,
): Promise<{ readonly name: string; readonly handle: FileHandle } | undefined> {
  for (const name of [tableName(number), tableName(number, 'sst')]) {
    const handle = await open(join(directory, name)).catch(absent);
    if (handle !== undefined) return { name, handle };
  }
  return undefined;
}

/** Manifest and logs: they define the content of the store for LevelDB. */
async function journals(directory: string): Promise<{ problem?: string; manifest?: Manifest }> {
  const names = (await readdir(directory).catch(absent)) ?? [];
  const current = await readFile(join(directory, 'CURRENT'), 'utf8').catch(absent);
  if (current === undefined) {
    return names.some((name) => /^\d+\.(ldb|sst|log)$/.test(name)) ? { problem: 'the file CURRENT is gone' } : {};
  }
  const name = current.trimEnd();
  if (!/^MANIFEST-\d+$/.test(name)) return { problem: 'the file CURRENT is damaged' };
  const bytes = await readFile(join(directory, name)).catch(absent);
  if (bytes === undefined) return { problem: `the file ${name} is gone` };
  const { records, damagedInside } = logRecords(bytes);
  if (damagedInside) return { problem: `${name} is damaged` };
  let manifest: Manifest;
  try {
    manifest = manifestOf(records);
  } catch (error) {
    return { problem: `${name}: ${asError(error).message}` };
  }
  const problem = await logsProblem(directory, names, manifest);
  return { manifest, ...(problem === undefined ? {} : { problem }) };
}

/** Checks that batches follow one another without a gap, from the tables on and from one log to the next. */
async function logsProblem(
  directory: string,
  names: readonly string[],
  manifest: Manifest,
): Promise<string | undefined> {
  const numbers = names.flatMap((name) => /^(\d+)\.log$/.exec(name)?.[1] ?? []).sort((a, b) => Number(a) - Number(b));
  let end = manifest.lastSequence + 1;
  let isFirst = true;
  for (const number of numbers) {
    if (Number(number) < manifest.logNumber) continue;
    const name = `${number}.log`;
    const bytes = await readFile(join(directory, name)).catch(absent);
    if (bytes === undefined) continue;
    const { records, damagedInside } = logRecords(bytes);
    if (damagedInside) return `${name} is damaged in the middle`;
    const batches = batchSequences(records);
    if (batches.gap) return `${name} leaves out a write`;
    if (batches.first === undefined || batches.end === undefined) continue;
    // The tables may already include the first batches of the first log.
    if (batches.first > end || (!isFirst && batches.first < end)) return `writes are missing before ${name}`;
    end = batches.end;
    isFirst = false;
  }
  return undefined;
}

const absent = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
};

const yielded = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
