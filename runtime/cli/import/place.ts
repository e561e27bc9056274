/**
 * How far the import of a file is: an entry beside the record of the deployment, by the digest of the file, written by compare-and-set. The process that
 * began last goes on; an earlier one is refused at its next write. It may publish only while its last write is recent (`confirm`): one that was halted
 * for long would repeat events whose ids are no longer remembered.
 */
import { randomUUID } from 'node:crypto';
import { fatal, hasCode, transient } from '../../contract/errors.js';
import type { Clock, KeyValue } from '../../contract/ports.js';
import { utf8 } from '../../frames/bytes.js';
import { importKey, type ImportRecord, importRecordIn } from '../../node/deployment.js';
import { Final, retryThroughFailover } from '../../supervision/retry.js';

type Progress = Pick<ImportRecord, 'offset' | 'line' | 'events' | 'refused' | 'done'>;

export interface PlaceOptions {
  /** The bucket of the deployment. */
  readonly table: KeyValue;
  readonly clock: Clock;
  readonly digest: string;
  readonly file: string;
  readonly ratingScale: string | undefined;
}

/** What is published within this time after another process has begun is found to be duplicates. */
const CONFIRM_EVERY_MS = 5_000;

const BEGINNING: Progress = { offset: 0, line: 0, events: 0, refused: 0, done: false };

export class Place {
  private readonly importer = randomUUID();
  private revision = 0;
  private readonly retried;
  private latest = BEGINNING;
  private writtenAt = { monotonicMs: -Infinity, wallMs: -Infinity };
  private confirming: Promise<void> | undefined;
  /** As it was found; absent: there is none. */
  found: ImportRecord | undefined;

  private constructor(private readonly options: PlaceOptions) {
    this.retried = retryThroughFailover(options.clock, () => undefined);
  }

  static async find(options: PlaceOptions): Promise<Place> {
    const place = new Place(options);
    const entry = await place.retried(() => options.table.get(importKey(options.digest)));
    if (entry !== undefined) {
      place.revision = entry.revision;
      place.found = importRecordIn(entry);
    }
    return place;
  }

  /** From here on it is this process that imports the file; returns where it begins. */
  async claim(): Promise<Progress> {
    // Where nothing was accepted, as with a wrong scale, there is nothing to go on from.
    const progress = this.found === undefined || this.found.events === 0 ? BEGINNING : this.found;
    await this.reached(progress);
    return progress;
  }

  /** Before each message. Fatal IMPORT_TAKEN_OVER. */
  async confirm(): Promise<void> {
    const { clock } = this.options;
    const { monotonicMs, wallMs } = this.writtenAt;
    // The monotonic clock stands still while the machine sleeps.
    const sinceMs = Math.max(clock.monotonicMs() - monotonicMs, clock.nowMs() - wallMs);
    if (sinceMs < CONFIRM_EVERY_MS) return;
    await (this.confirming ??= this.reached(this.latest).finally(() => (this.confirming = undefined)));
  }

  /** Fatal IMPORT_TAKEN_OVER. */
  async reached(progress: Progress): Promise<void> {
    const { offset, line, events, refused, done } = progress;
    const { table, clock, digest, file, ratingScale } = this.options;
    const { importer } = this;
    const record: ImportRecord = {
      ...{ file, importer, offset, line, events, refused, done, atMs: clock.nowMs() },
      ...(ratingScale === undefined ? {} : { ratingScale }),
    };
    const bytes = utf8(JSON.stringify(record));
    await this.retried(async () => {
      try {
        this.revision = await table.put(importKey(digest), bytes, this.revision);
      } catch (error) {
        if (!hasCode(error, 'FENCED')) throw error;
        // After an unknown outcome it may be this very entry.
        const entry = await table.get(importKey(digest));
        if (entry === undefined) throw transient('LOG_UNREACHABLE', 'the record of the import cannot be read now');
        if (importRecordIn(entry)?.importer !== importer) throw new Final(takenOver(file));
        this.revision = entry.revision;
        throw transient('LOG_UNKNOWN', 'the record of the import is written again');
      }
    });
    this.latest = progress;
    this.writtenAt = { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
  }
}

const takenOver = (file: string): Error =>
  fatal('IMPORT_TAKEN_OVER', `another rivulet import of ${file} has begun, and goes on with it`, {
    hint: 'wait for that one; nothing is imported twice',
  });
