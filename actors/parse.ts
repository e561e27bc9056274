/**
 * parse: from the bytes of publishers and files to events.
 *
 *   E = G + B + D      E  events in total     G  valid ones, to `rows`     B  bad ones, to `deadLetters`     D  duplicates
 *
 * Each message (JSON, JSONL, protobuf) or piece of a file (CSV, JSONL) becomes rows in order of arrival, or dead letters with the original bytes and the
 * remedy; a bad event does not affect the others of its message. The accepted formats are in `formats/`.
 *
 * State    the ids of the last valid events, at most `dedupeMax`; a rating without an id is identified by user, item and time, any other event without
 *          one is never a duplicate. The id of a refused event is not stored: a corrected event may have the same id.
 * Restart  restored with the snapshot; messages after it are replayed and give the same rows.
 */
import { from, map, mergeMap, tap } from 'rxjs';
import { parsedEvents } from './model.js';
import { EventRows } from './formats/event-rows.js';
import { EVENT_RULES, type EventRules } from './formats/limits.js';
import { type MessageLimits, readMessage } from './formats/message.js';
import { Refusals } from './formats/refusals.js';
import { Schema } from './formats/schema.js';
import { dropDuplicates, type Identified, seenIds } from './operators/drop-duplicates.js';
import { deadLetters, type Frame, input, RAW, type RawBatch, stage } from '../runtime/contract/stage.js';

export interface ParseOptions extends Partial<EventRules> {
  /** Ids of events kept in memory, per instance; the last half of them are guaranteed to be known. */
  readonly dedupeMax?: number;
}

export const PARSE_DEFAULTS: Required<ParseOptions> = { ...EVENT_RULES, dedupeMax: 1_000_000 };

export const parse = (options: ParseOptions = {}) => {
  const { dedupeMax, ...rules } = { ...PARSE_DEFAULTS, ...options };
  const schema = new Schema(rules.schema);
  return stage({
    id: 'parse',
    key: 'source',
    version: 1,
    inputs: { events: input(RAW) },
    outputs: { rows: parsedEvents, deadLetters },
    state: { seen: seenIds() },
    counts: ['events', 'dead_letter', 'duplicates'],
    pipeline: ({ inputs, state, out, count }) =>
      inputs.events.pipe(
        map((batch) => read(batch, new EventRows(schema, rules), rules)),
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

interface Read extends Identified<Frame<typeof parsedEvents.columns>> {
  /** Events, valid and bad. */
  readonly seen: number;
  readonly refused: Frame<typeof deadLetters.columns> | undefined;
}

function read({ messages }: RawBatch, writer: EventRows, limits: MessageLimits): Read {
  const refusals = new Refusals('parse');
  let seen = 0;
  for (const message of messages) seen += readMessage(message, writer, refusals, limits);
  return { ...writer.finish(), seen, refused: refusals.finish() };
}
