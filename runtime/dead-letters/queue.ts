/**
 * The dead-letter queue as people see it: records with ids, read from the topic's stream, and marks on those that were retried.
 *
 *   mark    rivulet.dead-letter.retried.<id>     an empty message is an empty Envelope, which readers of the topic skip
 *   claim   rivulet.dead-letter.retrying.<id>    somebody is retrying it
 *
 * Invariants
 *   DEAD-LETTERS-1  An event that is sent again is marked after the log has stored it: after a crash in between it is unmarked, so it may be sent twice but is
 *                   never lost.
 *   DEAD-LETTERS-2  Of several who retry one record at the same time, one sends it: the log accepts one claim (`expected`), and the others get DEAD_LETTER_BUSY.
 *                   A claim without a mark that is older than CLAIM_MS was aborted, and can be taken again.
 */
import { EMPTY } from '../frames/bytes.js';
import { systemClock } from '../contract/clock.js';
import { type DeadLetter, originalText, recordsIn } from './record.js';
import { type Change, eventOf, type RetryRules, subjectFor } from './change.js';
import type { RivuletError } from '../contract/errors.js';
import { asError, fatal, hasCode, poison } from '../contract/errors.js';
import { DEAD_LETTER, streamOf } from '../contract/graph.js';
import { BrowsableLog } from './browsable-log.js';
import type { Clock, Log, Logger } from '../contract/ports.js';

export { type DeadLetter, originalText };

export interface DeadLetterQuery {
  /** From 1. */
  readonly limit: number;
  /** `next` of the page before. */
  readonly before?: string | undefined;
  readonly rule?: string | undefined;
  /** Only those that were, or only those that were not. */
  readonly retried?: boolean | undefined;
}

export interface DeadLetterPage {
  /** Newest first. */
  readonly records: readonly DeadLetter[];
  /** Where the next page begins; a page that is not full may have one (dead-letters/browsable-log.ts, BROWSABLE-LOG-2). */
  readonly next: string | undefined;
}

/** Where an event was sent again: a record of its refusal names that sequence. */
export interface Sent {
  readonly subject: string;
  readonly sequence: number;
}

const STREAM = streamOf(DEAD_LETTER);
const MARKS = `rivulet.${DEAD_LETTER}.retried.`;
const CLAIMS = `rivulet.${DEAD_LETTER}.retrying.`;
/** Bytes of an original that a page shows. */
const SHOWN_BYTES_MAX = 4_096;
const PAGE_RECORDS_MAX = 200;
/** Longer than it takes to store an event and its mark, or to fail. */
const CLAIM_MS = 30_000;
/** Bytes of a record without its original. */
const RECORD_BYTES = 512;
const MARKS_AT_ONCE = 32;

const NO_QUEUE = { hint: 'start one with `rivulet start`, or name the right server with --nats-url' };

export class DeadLetterQueue {
  /** With the beginnings of originals, and with all of them. */
  private readonly beginnings: BrowsableLog<DeadLetter & { readonly bytes: number }>;
  private readonly wholes: BrowsableLog<DeadLetter & { readonly bytes: number }>;

  constructor(
    private readonly log: Log,
    private readonly clock: Clock = systemClock,
    /** Absent: what is retried is not looked at. */
    private readonly rules?: RetryRules,
    /** Absent: of a command. */
    private readonly logger?: Pick<Logger, 'warn'>,
  ) {
    const browsableLogOf = (bytesMax: number) => {
      const rowsIn = (message: Parameters<typeof recordsIn>[0]) =>
        recordsIn(message, bytesMax).map((record) => ({ ...record, bytes: record.original.length + RECORD_BYTES }));
      return new BrowsableLog(log, DEAD_LETTER, rowsIn, clock);
    };
    this.beginnings = browsableLogOf(SHOWN_BYTES_MAX);
    this.wholes = browsableLogOf(Infinity);
  }

  /** One page, at a bounded cost, with the beginnings of the originals: `find` returns a complete record. Poison BROWSABLE_LOG_CURSOR; Transient BROWSABLE_LOG_READ, LOG_UNREACHABLE; Fatal DEAD_LETTER_STREAM. */
  async page({ limit, before, rule, retried }: DeadLetterQuery): Promise<DeadLetterPage> {
    const isRetried = (record: DeadLetter): boolean => record.retriedAtMs !== undefined;
    const { rows, next } = await explained(
      this.beginnings.page({
        ...{ limit, before },
        isWanted: (record) => rule === undefined || record.rule === rule,
        choose: async (records) => {
          const marked = await this.marked(records);
          return retried === undefined ? marked : marked.filter((record) => isRetried(record) === retried);
        },
      }),
    );
    return { records: rows.map(({ bytes: _, ...record }) => record), next };
  }

  /** The newest records that are wanted, newest first: reads as many pages as necessary. */
  async newest(limit: number, wanted: Pick<DeadLetterQuery, 'rule' | 'retried'> = {}): Promise<DeadLetter[]> {
    const found: DeadLetter[] = [];
    for (let before: string | undefined; ;) {
      const left = Math.min(PAGE_RECORDS_MAX, limit - found.length);
      const { records, next } = await this.page({ ...wanted, limit: left, before });
      found.push(...records);
      if (next === undefined || found.length >= limit) return found;
      before = next;
    }
  }

  /** Poison DEAD_LETTER_UNKNOWN when there is none with this id, or no more. */
  async find(id: string): Promise<DeadLetter> {
    const found = await explained(this.wholes.find(id));
    if (found === undefined) {
      throw poison('DEAD_LETTER_UNKNOWN', `there is no dead letter ${id}`, {
        hint: 'rivulet dlq ls lists them; the oldest are dropped when the queue is full',
      });
    }
    const { bytes: _, ...record } = (await this.marked([found]))[0]!;
    return record;
  }

  /**
   * Sends a record's event where a publisher would, and marks the record. Gives the subject, and the sequence there. Poison DEAD_LETTER_RETRIED (unless `again`),
   * DEAD_LETTER_BUSY (DEAD-LETTERS-2), DEAD_LETTER_CHANGE (it cannot be changed so), DEAD_LETTER_UNMENDED (it would be refused again), DEAD_LETTER_INTERNAL (no publisher's event); and as `Log.publish`.
   */
  async retry(record: DeadLetter, change: Change, { again }: { readonly again: boolean }): Promise<Sent> {
    const subject = subjectFor(record);
    const data = eventOf(record, change, this.rules);
    const reason = this.rules?.faultOf(record.stage, data, this.clock.nowMs());
    if (reason !== undefined) {
      throw poison('DEAD_LETTER_UNMENDED', `${record.id} would be refused again: ${reason}`, {
        hint: 'correct it first',
      });
    }
    const claim = await this.claim(record, again);
    let sequence: number;
    try {
      sequence = await this.log.publish(subject, data);
    } catch (error) {
      // When the outcome is unknown the claim stays until it expires: another retry might send the event twice.
      if (!hasCode(error, 'LOG_UNKNOWN')) await this.release(record, claim);
      throw error;
    }
    await this.log.publish(MARKS + record.id, EMPTY);
    return { subject, sequence };
  }

  /** Gives its sequence. */
  private async claim({ id }: DeadLetter, again: boolean): Promise<number> {
    // In this order: the owner of the claim has left a mark, or is still retrying.
    const claim = await this.log.last(STREAM, CLAIMS + id);
    const mark = await this.log.last(STREAM, MARKS + id);
    if (mark !== undefined && !again) {
      const atMs = new Date(mark.storedAtMs).toISOString();
      throw poison('DEAD_LETTER_RETRIED', `${id} was retried already, ${atMs.slice(0, 19).replace('T', ' ')} UTC`, {
        hint: 'send it once more with --again',
      });
    }
    const isOpen = claim !== undefined && claim.sequence > (mark?.sequence ?? 0);
    if (isOpen && this.clock.nowMs() - claim.storedAtMs < CLAIM_MS) throw busy(id);
    try {
      return await this.log.publish(CLAIMS + id, EMPTY, { expected: claim?.sequence ?? 0 });
    } catch (error) {
      throw hasCode(error, 'FENCED') ? busy(id) : error;
    }
  }

  /** Nothing was sent: the next one need not wait. A claim that cannot be deleted expires. */
  private async release({ id }: DeadLetter, sequence: number): Promise<void> {
    await this.log.purge(STREAM, CLAIMS + id, sequence + 1).catch((error: unknown) => {
      const fields = { err: asError(error), id, seconds: CLAIM_MS / 1_000 };
      this.logger?.warn(fields, 'cannot take back the claim on a dead letter: until it ends, retries are refused');
    });
  }

  /** With when each was retried. */
  private async marked<R extends DeadLetter>(records: readonly R[]): Promise<R[]> {
    const marked: R[] = [];
    for (let i = 0; i < records.length; i += MARKS_AT_ONCE) {
      const some = records.slice(i, i + MARKS_AT_ONCE).map(async (record) => {
        const mark = await this.log.last(STREAM, MARKS + record.id);
        return { ...record, retriedAtMs: mark?.storedAtMs };
      });
      marked.push(...(await Promise.all(some)));
    }
    return marked;
  }
}

const busy = (id: string): RivuletError =>
  poison('DEAD_LETTER_BUSY', `${id} is being retried by somebody else at this moment`, {
    hint: `check whether it was retried; where that was interrupted, it can be retried after ${CLAIM_MS / 1000} s`,
  });

/** Fatal DEAD_LETTER_STREAM where there is no queue. */
async function explained<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!hasCode(error, 'STREAM_NOT_FOUND')) throw error;
    throw fatal('DEAD_LETTER_STREAM', 'this NATS has no dead-letter queue: no node has run on it', NO_QUEUE);
  }
}
