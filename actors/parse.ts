/**
 * parse: from what publishers and files say to events.
 *
 *   E = G + B + D      E  events seen     G  good ones, to `rows`     B  bad ones, to `deadLetters`     D  duplicates
 *
 * Each message (JSON, JSONL, protobuf) or piece of a file (CSV, JSONL) becomes rows in the order they came in, or dead letters that hold the
 * original bytes and say what to do; a bad event takes none of its neighbours with it. What each format accepts stands in `formats/`.
 *
 * State    the ids of the last good events, at most `dedupeMax`; an event without one is never a duplicate. A refused event's id is not
 *          remembered: mended, it may come again.
 * Restart  restored with the snapshot; messages after it are replayed and give the same rows.
 */
import { from, map, mergeMap, tap } from 'rxjs';
import { events } from './model.js';
import { EventWriter } from './formats/event-writer.js';
import { type MessageLimits, readMessage } from './formats/message.js';
import { Refusals } from './formats/refusals.js';
import { Schema, type SchemaName } from './formats/schema.js';
import { dropDuplicates, type Identified, rowIds } from './operators/drop-duplicates.js';
import { deadLetters, type Frame, input, RAW, type RawBatch, stage, tables } from '../runtime/contract/stage.js';

export interface ParseOptions {
  /** By which names events give their fields; `auto` takes those of all schemas. */
  readonly schema?: SchemaName;
  /** How far after its storing an event may say it happened. */
  readonly futureMaxMs?: number;
  /** What one message may hold. Pieces of files are not bounded by it. */
  readonly messageBytesMax?: number;
  readonly messageEventsMax?: number;
  /** Ids of events kept in memory, per instance; the last half of them are surely known. */
  readonly dedupeMax?: number;
}

export const PARSE_DEFAULTS: Required<ParseOptions> = {
  schema: 'auto',
  futureMaxMs: 24 * 60 * 60 * 1000,
  messageBytesMax: 1024 * 1024,
  messageEventsMax: 10_000,
  dedupeMax: 1_000_000,
};

export const parse = (options: ParseOptions = {}) => {
  const { schema, futureMaxMs, dedupeMax, ...limits } = { ...PARSE_DEFAULTS, ...options };
  const names = new Schema(schema);
  return stage({
    id: 'parse',
    key: 'source',
    version: 1,
    inputs: { events: input(RAW) },
    outputs: { rows: events, deadLetters },
    state: { seen: tables(rowIds, { key: ['id'] }) },
    counts: ['events', 'dead_letter', 'duplicates'],
    pipeline: ({ inputs, state, out, count }) =>
      inputs.events.pipe(
        map((batch) => read(batch, new EventWriter(names, futureMaxMs), limits)),
        dropDuplicates(state.seen, dedupeMax),
        tap(({ seen, refused, duplicates }) => {
          count('events', seen);
          count('dead_letter', refused?.rows ?? 0);
          count('duplicates', duplicates);
        }),
        mergeMap(({ rows, refused }) =>
          from([
            ...(rows.rows === 0 ? [] : [out.rows(rows)]),
            ...(refused === undefined ? [] : [out.deadLetters(refused)]),
          ]),
        ),
      ),
  });
};

interface Read extends Identified<Frame<typeof events.columns>> {
  /** Events seen, good and bad. */
  readonly seen: number;
  readonly refused: Frame<typeof deadLetters.columns> | undefined;
}

function read({ messages }: RawBatch, writer: EventWriter, limits: MessageLimits): Read {
  const refusals = new Refusals('parse');
  let seen = 0;
  for (const message of messages) seen += readMessage(message, writer, refusals, limits);
  return { ...writer.finish(), seen, refused: refusals.finish() };
}
