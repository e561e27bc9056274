/**
 * Are the files of a LevelDB directory what LevelDB wrote? It looks at its manifest only, and trusts the rest: a flipped bit in a filter or in a key
 * makes an entry that is there read as one that is not, and a log that is broken in the middle is read without what was there.
 *
 * Invariants
 *   FILE-CHECK-1  The manifest and the logs are checked before the store is used; of the tables the first FIRST_BYTES as well.
 *   FILE-CHECK-2  The other tables are checked behind the start, slowly, of one store at a time in a thread. They are held open from before LevelDB opens them, so that what is checked is what was
 *                 there, whatever LevelDB rewrites meanwhile. Until then an entry of such a table may be missed; no entry can be read wrong.
 *   FILE-CHECK-3  What is found is written into the directory (MARK) and refused from then on: LevelDB may have copied the damage under new checksums.
 *   FILE-CHECK-4  A log whose end is torn is sound: that write was never acknowledged. So is one that is damaged in its last writes: the store is then as it was
 *                 at an earlier snapshot, which the log of the mailbox makes good, or says that it cannot (LOG_GAP).
 *
 * Not found: a file that was exchanged for an older one of the same store together with its manifest, and bits that flip in memory.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { asError, type RivuletError } from '../runtime/contract/errors.js';
import { damaged } from './damage.js';
import { batchSequences, logRecords, type Manifest, manifestOf, tableProblem } from './leveldb-files.js';

const MIB = 1024 * 1024;
/** Of tables, before the store is used: some 15 ms. */
const FIRST_BYTES = 8 * MIB;
/** The rest waits until a start is over: it would take a core from what restores. */
const BACKGROUND_AFTER_MS = 5_000;
/** Tables held open; more are checked before the store is opened. */
const HELD_MAX = 1_000;
/** Checked at one go, and the pause after it: some 15 % of a core. */
const TURN_BYTES = MIB;
const PAUSE_MS = 5;

const MARK = 'damage.txt';

/** The last check in the background that was asked for in this thread. */
let background: Promise<void> = Promise.resolve();

interface HeldTable {
  readonly name: string;
  readonly handle: FileHandle;
}

export class FileCheck {
  private held: HeldTable[] = [];
  private found: RivuletError | undefined;
  private closed = false;
  private running: Promise<void> = Promise.resolve();

  private constructor(
    private readonly directory: string,
    private problem: string | undefined,
    private readonly firstBytes: number,
  ) {}

  /** To be called before LevelDB opens the directory. Throws what an earlier check has found. */
  static async of(directory: string, firstBytes = FIRST_BYTES): Promise<FileCheck> {
    const mark = join(directory, MARK);
    if (existsSync(mark)) throw damaged(directory, readFileSync(mark, 'utf8').trim());
    const { problem, manifest } = await journals(directory);
    // LevelDB would begin a new store, and remove what is there; or not open it.
    if (problem !== undefined && manifest === undefined) throw damaged(directory, problem);
    const check = new FileCheck(directory, problem, firstBytes);
    try {
      for (const [number, bytes] of manifest?.tables ?? []) await check.hold(number, bytes);
    } catch (error) {
      await check.close();
      throw error;
    }
    return check;
  }

  private async hold(number: number, bytes: number): Promise<void> {
    const table = await openTable(this.directory, number);
    // LevelDB itself says so of one that is missing.
    if (table === undefined) return;
    const { size } = await table.handle.stat();
    this.held.push(table);
    if (size !== bytes) this.problem ??= `${table.name} has ${size} bytes instead of ${bytes}`;
    if (this.held.length > HELD_MAX) await this.check(Infinity, yielded);
  }

  /** What is checked before the store is used (FILE-CHECK-1). */
  async first(): Promise<void> {
    if (this.problem !== undefined) this.fail(this.problem);
    await this.check(this.firstBytes, yielded);
    this.mustBeSound();
  }

  /** What it finds is told by `mustBeSound`, at the next read or write; resolves when it is through. */
  restInBackground(afterMs = BACKGROUND_AFTER_MS): Promise<void> {
    const due = sleep(afterMs, undefined, { ref: false });
    // Side by side those of a thread would take it whole.
    background = background.then(async () => {
      await due;
      if (this.closed) return undefined;
      this.running = this.check(Infinity, paused).catch((error: unknown) => {
        if (!this.closed && this.found === undefined)
          this.found = damaged(this.directory, 'its files cannot be read', error);
      });
      return this.running;
    });
    return background;
  }

  /** Throws Fatal STATE_DAMAGED. */
  mustBeSound(): void {
    if (this.found !== undefined) throw this.found;
  }

  async close(): Promise<void> {
    this.closed = true;
    await this.running;
    for (const { handle } of this.held.splice(0)) await handle.close();
  }

  private async check(bytesMax: number, turn: () => Promise<void>): Promise<void> {
    for (let bytes = 0; bytes < bytesMax && this.held.length > 0 && !this.closed;) {
      const { name, handle } = this.held.shift()!;
      try {
        const content = await handle.readFile();
        bytes += content.length;
        const problem = await tableProblem(content, turn, TURN_BYTES);
        if (problem !== undefined) this.fail(`${name}: ${problem}`);
        await turn();
      } finally {
        await handle.close();
      }
    }
  }

  private fail(problem: string): never {
    this.found = damaged(this.directory, problem);
    writeFileSync(join(this.directory, MARK), `${problem}\n`);
    throw this.found;
  }
}

/** All that is wrong with the files of a directory; reads every byte. Nothing may write to it meanwhile. */
export async function* fileProblems(directory: string): AsyncGenerator<string> {
  const mark = join(directory, MARK);
  if (existsSync(mark)) yield `found earlier: ${readFileSync(mark, 'utf8').trim()}`;
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
  }
}

const tableName = (number: number, ending = 'ldb'): string => `${String(number).padStart(6, '0')}.${ending}`;

async function openTable(directory: string, number: number): Promise<HeldTable | undefined> {
  for (const name of [tableName(number), tableName(number, 'sst')]) {
    const handle = await open(join(directory, name)).catch(absent);
    if (handle !== undefined) return { name, handle };
  }
  return undefined;
}

/** Manifest and logs: what LevelDB will take the store to be. */
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

/** Batches follow one another without a gap, from one log to the next, and from what the tables hold. */
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
    // The tables may hold what the first log begins with.
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
const paused = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
