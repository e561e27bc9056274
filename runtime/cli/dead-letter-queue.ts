/**
 * The dead-letter queue as people see it: records with ids, read from the topic's stream, and marks on those that were retried.
 *
 *   id      <stream sequence>-<row>            stands as long as the stream does
 *   mark    rivulet.dead-letter.retried.<id>   an empty message is an empty Envelope: readers of the topic pass over it
 */
import { fromBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { EMPTY, textOf } from '../bytes.js';
import { deadLetters } from '../dead-letter.js';
import { entryStart } from '../dictionary.js';
import { fatal } from '../errors.js';
import { rowsOf } from '../frame.js';
import { fromWire } from '../frame-codec.js';
import { DEAD_LETTER, streamOf } from '../graph.js';
import type { Log, LogMessage } from '../ports.js';
import { hasCode } from './nats-link.js';

export interface DeadLetter {
  readonly id: string;
  readonly original: Uint8Array;
  readonly subject: string;
  readonly sequence: number;
  readonly file: string | undefined;
  readonly line: number | undefined;
  readonly index: number;
  readonly stage: string;
  readonly rule: string;
  readonly field: string | undefined;
  readonly reason: string;
  readonly storedAtMs: number;
  readonly retriedAtMs: number | undefined;
}

const STREAM = streamOf(DEAD_LETTER);
const ALL = `rivulet.${DEAD_LETTER}.>`;
const MARKS = `rivulet.${DEAD_LETTER}.retried.`;
const TAKE_MESSAGES = 256;
/** How many messages are read first when the newest records are asked for; then twice as many, and so on. */
const WINDOW_MESSAGES = 64;

export class DeadLetterQueue {
  constructor(private readonly log: Log) {}

  /** The newest records that are wanted, newest first. */
  async newest(limit: number, isWanted: (record: DeadLetter) => boolean): Promise<DeadLetter[]> {
    const { firstSequence, lastSequence } = await this.info();
    for (let window = Math.max(WINDOW_MESSAGES, limit); ; window *= 2) {
      const from = Math.max(firstSequence, lastSequence - window + 1);
      const found = (await this.read(from, lastSequence)).filter(isWanted);
      if (found.length >= limit || from <= firstSequence) return found.reverse().slice(0, limit);
    }
  }

  /** Fatal DEAD_LETTER_UNKNOWN when there is none with this id, or no more. */
  async find(id: string): Promise<DeadLetter> {
    const sequence = Number(/^(\d+)-\d+$/.exec(id)?.[1] ?? NaN);
    const { lastSequence } = await this.info();
    const found =
      sequence <= lastSequence ? (await this.read(sequence, lastSequence)).find((one) => one.id === id) : undefined;
    if (found !== undefined) return found;
    throw fatal('DEAD_LETTER_UNKNOWN', `there is no dead letter ${id}`, {
      hint: 'rivulet dlq ls lists them; the oldest are dropped when the queue is full',
    });
  }

  async markRetried({ id }: DeadLetter): Promise<void> {
    await this.log.publish(MARKS + id, EMPTY);
  }

  private async info(): Promise<{ readonly firstSequence: number; readonly lastSequence: number }> {
    try {
      return await this.log.info(STREAM);
    } catch (error) {
      if (!hasCode(error, 'STREAM_NOT_FOUND')) throw error;
      throw fatal('DEAD_LETTER_STREAM', 'this NATS has no dead-letter queue: no node has run on it', {
        hint: 'start one with `rivulet start`, or name the right server with --nats-url',
      });
    }
  }

  /** The records in messages [from, to], marks applied. */
  private async read(from: number, to: number): Promise<DeadLetter[]> {
    if (from > to) return [];
    const records: DeadLetter[] = [];
    const retried = new Map<string, number>();
    const reader = await this.log.read(STREAM, { filters: [ALL], from });
    try {
      for (let last = 0; last < to;) {
        const messages = await reader.take(TAKE_MESSAGES);
        if (messages.length === 0) break;
        for (const message of messages) {
          last = message.sequence;
          if (message.subject.startsWith(MARKS)) retried.set(message.subject.slice(MARKS.length), message.storedAtMs);
          else records.push(...recordsIn(message));
        }
      }
    } finally {
      await reader.close();
    }
    return records.map((record) => ({ ...record, retriedAtMs: retried.get(record.id) }));
  }
}

function recordsIn(message: LogMessage): DeadLetter[] {
  const { body, output } = fromBinary(EnvelopeSchema, message.data);
  if (body.case !== 'frame') return [];
  const frame = fromWire(body.value, deadLetters);
  const { codes, dictionary } = frame.columns.original;
  return rowsOf(frame).map((row, r) => {
    const code = codes[r]!;
    const stored = dictionary.bytes.slice(entryStart(dictionary, code), dictionary.ends[code]);
    return {
      id: `${message.sequence}-${r}`,
      // The runtime buries whole messages, whatever is in them, as base64.
      original: output === '$poison' ? Buffer.from(textOf(stored), 'base64') : stored,
      subject: row.subject ?? '',
      sequence: row.sequence ?? 0,
      file: row.file,
      line: row.line,
      index: row.index ?? 0,
      stage: row.stage ?? '',
      rule: row.rule ?? '',
      field: row.field,
      reason: row.reason ?? '',
      storedAtMs: row.storedAt ?? message.storedAtMs,
      retriedAtMs: undefined,
    };
  });
}
