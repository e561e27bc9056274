/**
 * The record of the files of a folder: which are done, and how far others were read. It is a table of its own, beside the log that has their chunks.
 *
 * Invariants
 *   FILE-RECORD-1  A file is recorded before its first chunk is stored, and recorded as done after its last one is, and before the first chunk of the
 *                  next file. So of all files but that of the last chunk stored, the record says how far they were read.
 *   FILE-RECORD-2  An entry names the number of the file's last chunk. One with a higher number than the last chunk of the log describes chunks that are
 *                  not there (the log is that of a backup): the file was not read.
 *   FILE-RECORD-3  Each write compares the revision: of two readers of a folder one gets Transient FENCED, and loads the record anew.
 */
import { fatal } from '../contract/errors.js';
import type {
  FileRecord,
  FileRecords,
  KeyValue,
  KeyValueEntry,
  SourcePosition,
  StoredChunks,
} from '../contract/ports.js';
import { hasFields, isCount, isFlag, isText, optional, storedJson } from '../contract/stored-json.js';
import { utf8 } from '../frames/bytes.js';

const isFileRecord = hasFields({
  file: isText,
  bytes: isCount,
  modifiedMs: optional(Number.isFinite),
  digest: optional(isText),
  done: isFlag,
  ...{ chunk: isCount, nextOffset: isCount, nextLine: isCount },
});

/** `undefined`: it was not written by Rivulet. */
export const fileRecordIn = ({ key, value }: KeyValueEntry): FileRecord | undefined => {
  const found = storedJson<FileRecord>(value, isFileRecord);
  return found !== undefined && keyOf(found.file) === key ? found : undefined;
};

const keyOf = (file: string): string => Buffer.from(file).toString('base64url');

const NOTHING_READ = { done: false, chunk: 0, nextOffset: 0, nextLine: 1 } as const;

const lost = (message: string): Error =>
  fatal('FILE_RECORD', message, {
    hint: 'restore a backup: without the record files that are done would be read again',
  });

export class StoredFileRecords implements FileRecords {
  private readonly records = new Map<string, { readonly record: FileRecord; readonly revision: number }>();

  constructor(private readonly table: KeyValue) {}

  /** Reads the table, corrects it by what the log has, and returns the last stored chunk. Fatal FILE_RECORD. */
  async load(stored: StoredChunks): Promise<SourcePosition | undefined> {
    const entries = await this.table.entries();
    this.records.clear();
    for (const entry of entries) {
      const record = fileRecordIn(entry);
      if (record === undefined) throw lost(`the entry ${entry.key} of the record of files was not written by rivulet`);
      this.records.set(record.file, { record, revision: entry.revision });
    }
    // Read after the table: an entry with a higher number is no newer one (FILE-RECORD-2).
    const last = await stored.last();
    for (const record of this.all().filter(({ chunk }) => chunk > (last?.number ?? 0)))
      await this.put({ ...record, ...NOTHING_READ });
    if (last === undefined) return undefined;
    const record = this.get(last.file);
    if (record === undefined) throw lost(`${last.file} was read, and the record of files lacks it`);
    const { number: chunk, nextOffset, nextLine, endsEpoch: done } = last;
    if (record.done !== done || record.chunk !== chunk)
      await this.put({ ...record, done, chunk, nextOffset, nextLine });
    return last;
  }

  get(file: string): FileRecord | undefined {
    return this.records.get(file)?.record;
  }

  isDone(file: string): boolean {
    return this.get(file)?.done === true;
  }

  get done(): number {
    let done = 0;
    for (const { record } of this.records.values()) if (record.done) done++;
    return done;
  }

  all(): readonly FileRecord[] {
    return [...this.records.values()].map(({ record }) => record);
  }

  async put(record: FileRecord): Promise<void> {
    const value = utf8(JSON.stringify(record));
    const revision = await this.table.put(keyOf(record.file), value, this.records.get(record.file)?.revision ?? 0);
    this.records.set(record.file, { record, revision });
  }
}
