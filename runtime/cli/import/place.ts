/**
 * How far an import is: an entry beside the record of the deployment, written by compare-and-set.
 *
 *   PLACE-1  One file at a time: the ids of another would push those of the first out of what parse remembers, and what is sent again would count again.
 *            So there is one entry for all files. It goes away when its file is done, or given up, behind an entry of that file which records the end.
 *   PLACE-2  It is made right before the first message: a file without an entry has no event in the deployment, and one with an entry may have some.
 *   PLACE-3  The process that began last goes on; an earlier one is refused at its next write. It may publish only while its last write is recent
 *            (`confirm`): one that was halted for long would repeat events whose ids are no longer remembered.
 */
import { randomUUID } from 'node:crypto';
import { fatal, hasCode, transient } from '../../contract/errors.js';
import type { Clock, KeyValue, KeyValueEntry } from '../../contract/ports.js';
import { utf8 } from '../../frames/bytes.js';
import { endedImportKey, IMPORT_KEY, importRecordIn, type ImportRecord, isImport } from '../../node/deployment.js';
import { Final, retryThroughFailover } from '../../supervision/retry.js';
import { grouped, instant } from '../terminal.js';

type Progress = Pick<ImportRecord, 'offset' | 'line' | 'events' | 'refused'>;

export interface PlaceOptions {
  /** The bucket of the deployment. */
  readonly table: KeyValue;
  readonly clock: Clock;
  readonly digest: string;
  readonly file: string;
  readonly ratingScale: string | undefined;
  /** Absent: the file has the names of the schema. */
  readonly columns?: string | undefined;
}

/** What is published within this time after another process has begun is found to be duplicates. */
const CONFIRM_EVERY_MS = 5_000;

const BEGINNING: Progress = { offset: 0, line: 0, events: 0, refused: 0 };

export class Place {
  private readonly importer = randomUUID();
  private hasBegun = false;
  private writtenAt = { monotonicMs: -Infinity, wallMs: -Infinity };
  private confirming: Promise<void> | undefined;

  private constructor(
    private readonly options: PlaceOptions,
    /** All before it is stored, or refused. */
    public latest: Progress,
    private revision: number,
  ) {}

  /** Where the file is to be read from. One that has begun is taken over: from here on it is this process that imports it. Fatal IMPORT_UNFINISHED. */
  static async open(options: PlaceOptions): Promise<Place> {
    const entry = await throughFailover(options.clock, () => options.table.get(IMPORT_KEY));
    const found = entry && importRecordIn(entry);
    if (found === undefined) return new Place(options, BEGINNING, entry?.revision ?? 0);
    if (found.digest !== options.digest) throw unfinished(found);
    const { offset, line, events, refused } = found;
    const place = new Place(options, { offset, line, events, refused }, entry!.revision);
    await place.reached(place.latest);
    return place;
  }

  /** Before each message. Fatal IMPORT_TAKEN_OVER, IMPORT_UNFINISHED. */
  async confirm(): Promise<void> {
    const { clock } = this.options;
    const { monotonicMs, wallMs } = this.writtenAt;
    // The monotonic clock stands still while the machine sleeps.
    const sinceMs = Math.max(clock.monotonicMs() - monotonicMs, clock.nowMs() - wallMs);
    if (sinceMs < CONFIRM_EVERY_MS) return;
    await (this.confirming ??= this.reached(this.latest).finally(() => (this.confirming = undefined)));
  }

  /** Fatal IMPORT_TAKEN_OVER, IMPORT_UNFINISHED. */
  async reached(progress: Progress): Promise<void> {
    const { table, clock } = this.options;
    const bytes = this.recordOf(progress);
    await throughFailover(clock, async () => {
      try {
        this.revision = await table.put(IMPORT_KEY, bytes, this.revision);
      } catch (error) {
        if (!hasCode(error, 'FENCED')) throw error;
        // After an unknown outcome it may be this very entry.
        this.revision = this.revisionOf(await table.get(IMPORT_KEY));
        throw transient('LOG_UNKNOWN', 'the record of the import is written again');
      }
    });
    this.hasBegun = true;
    this.latest = progress;
    this.writtenAt = { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
  }

  /** When all of the file is stored, or refused. A file of which nothing was published leaves no record. */
  async done(progress: Progress): Promise<void> {
    if (this.hasBegun) await ended(this.options, this.recordOf(progress, 'done'));
  }

  private recordOf(progress: Progress, end?: 'done'): Uint8Array {
    const { clock, digest, file, ratingScale, columns } = this.options;
    return bytesOf({
      digest,
      file,
      importer: this.importer,
      ...progress,
      ratingScale,
      columns,
      atMs: clock.nowMs(),
      end,
    });
  }

  private revisionOf(entry: KeyValueEntry | undefined): number {
    const { digest, file } = this.options;
    // One that had the first place was done meanwhile.
    if (entry === undefined && this.revision === 0) return 0;
    const found = entry && importRecordIn(entry);
    if (found !== undefined && found.importer === this.importer) return entry!.revision;
    throw new Final(found === undefined || found.digest === digest ? takenOver(file) : unfinished(found));
  }
}

/** For each operation anew: one that waits says nothing of those after it. */
const throughFailover = <T>(clock: Clock, work: () => Promise<T>): Promise<T> =>
  retryThroughFailover(clock, () => undefined)(work);

const bytesOf = (record: ImportRecord): Uint8Array => utf8(JSON.stringify(record));

export interface Imports {
  /** Absent: none has begun that has not ended. */
  readonly begun: ImportRecord | undefined;
  readonly ended: readonly ImportRecord[];
}

/** Of the entries of the bucket. */
export function importsIn(entries: readonly KeyValueEntry[]): Imports {
  const records = entries.filter(isImport).flatMap((entry) => importRecordIn(entry) ?? []);
  const ended = records.filter(({ end }) => end !== undefined);
  // A kill between the record of the end and the removal leaves both.
  const begun = records.find(({ digest, end }) => end === undefined && ended.every((one) => one.digest !== digest));
  return { begun, ended };
}

type Table = Pick<PlaceOptions, 'table' | 'clock'>;

/** Also removes what a kill has left of an import that had ended. */
export async function readImports(given: Table): Promise<Imports> {
  const entries = await throughFailover(given.clock, () => given.table.entries());
  const imports = importsIn(entries);
  const left = entries.find(({ key }) => key === IMPORT_KEY);
  const record = left && importRecordIn(left);
  if (imports.begun === undefined && record !== undefined) await remove(given, record.digest);
  return imports;
}

/** What came of it stays. */
export const giveUp = (given: Table, begun: ImportRecord): Promise<void> =>
  ended({ ...given, digest: begun.digest }, bytesOf({ ...begun, end: 'given up', atMs: given.clock.nowMs() }));

async function ended(given: Table & { readonly digest: string }, record: Uint8Array): Promise<void> {
  const { table, clock, digest } = given;
  await throughFailover(clock, () => table.put(endedImportKey(digest), record));
  await remove(given, digest);
}

async function remove({ table, clock }: Table, digest: string): Promise<void> {
  await throughFailover(clock, async () => {
    const entry = await table.get(IMPORT_KEY);
    if (entry !== undefined && importRecordIn(entry)?.digest === digest) await table.delete(IMPORT_KEY, entry.revision);
  });
}

const takenOver = (file: string): Error =>
  fatal('IMPORT_TAKEN_OVER', `another command goes on with the import of ${file}, or has ended it`, {
    hint: 'wait for that one; nothing is imported twice',
  });

export const unfinished = ({ file, events, atMs }: ImportRecord): Error =>
  fatal('IMPORT_UNFINISHED', `${file} is being imported, or its import was broken off`, {
    hint:
      `${grouped(events)} events of it were recorded by ${instant(atMs)}. Wait for it, or give the command for that file again, to its end; ` +
      `if the file is lost or has changed, give it up: rivulet import give-up ${file}`,
  });
