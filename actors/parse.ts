/**
 * parse: from the bytes of publishers and files to events.
 *
 *   E = G + B + D      E  events in total     G  valid ones, to `rows`     B  bad ones, to `deadLetters`     D  duplicates
 *
 * Each message (JSON, JSONL, protobuf) or piece of a file (CSV, JSONL) becomes rows in order of arrival, or dead letters with the original bytes and the
 * remedy; a bad event does not affect the others of its message. The accepted formats are in `formats/`.
 *
 * The history, where there is one, gets G and D with all their fields; it waits until many go in one message (state/waiting-history). Events published
 * on rivulet.events.past are of the past (`past` 1), which watermark sends on apart from live ones.
 *
 * State    the ids of the last valid events, at most `dedupeMax`, and as many of the past, so that an import does not make it forget those of live
 *          events; a rating without an id is identified by user, item and time, any other event without one is never a duplicate. The id of a refused
 *          event is not stored: a corrected event may have the same id. Of the history some thousand rows that wait.
 * Restart  restored with the snapshot; messages after it are replayed and give the same rows.
 */
import { map, merge, mergeMap, tap } from 'rxjs';
import { historyRows, parsedEvents } from './model.js';
import { type EventFrames, EventRows } from './formats/event-rows.js';
import { EVENT_RULES, type EventRules } from './formats/limits.js';
import { type MessageLimits, readMessage } from './formats/message.js';
import { Refusals } from './formats/refusals.js';
import { Schema } from './formats/schema.js';
import { dropDuplicates, seenIds } from './operators/drop-duplicates.js';
import { WaitingHistory, waitingHistory, waitingSince } from './state/waiting-history.js';
import {
  deadLetters,
  type Emission,
  type FrameOf,
  input,
  RAW,
  type RawBatch,
  stage,
} from '../runtime/contract/stage.js';

export interface ParseOptions extends Partial<EventRules> {
  /** Ids of live events that are remembered, and of the past, per instance; the last half of them are guaranteed to be known. */
  readonly dedupeMax?: number;
  /** Whether pieces of files are events of now, whose times are compared with the log's clock, as those of publishers are. */
  readonly filesAreLive?: boolean;
  /** Whether the output `history` carries rows, and the most rows that wait to go there together. */
  readonly history?: boolean;
  readonly historyRowsMax?: number;
}

export const PARSE_DEFAULTS: Required<ParseOptions> = {
  ...EVENT_RULES,
  dedupeMax: 1_000_000,
  filesAreLive: false,
  history: false,
  historyRowsMax: 4_096,
};

export const parse = (options: ParseOptions = {}) => {
  const { dedupeMax, filesAreLive, history, historyRowsMax, ...rules } = { ...PARSE_DEFAULTS, ...options };
  const schema = new Schema(rules.schema);
  return stage({
    id: 'parse',
    key: 'source',
    version: 1,
    inputs: { events: input(RAW) },
    outputs: { rows: parsedEvents, deadLetters, history: historyRows },
    state: { seen: seenIds(), seenPast: seenIds(), waiting: waitingHistory(), waitingSince: waitingSince() },
    counts: ['events', 'dead_letter', 'duplicates'],
    pipeline: ({ inputs, ticks, state, out, count }) => {
      const waiting = new WaitingHistory(state, historyRowsMax);
      const asHistory = (frame: FrameOf<typeof historyRows>): Emission => out.history(frame);
      const read = inputs.events.pipe(
        map((batch) => readBatch(batch, new EventRows(schema, rules, { withDetails: history, filesAreLive }), rules)),
        dropDuplicates([state.seen, state.seenPast], dedupeMax, ({ columns }) => columns.past),
        tap(({ seen, refused, duplicates }) => {
          count('events', seen);
          count('dead_letter', refused?.rows ?? 0);
          count('duplicates', duplicates);
        }),
        mergeMap(({ rows, refused, accepted, details, passed }) => [
          ...(rows.rows === 0 ? [] : [out.rows(rows)]),
          ...(refused === undefined ? [] : [out.deadLetters(refused)]),
          ...(details === undefined ? [] : waiting.add({ events: accepted, details, passed }).map(asHistory)),
        ]),
      );
      return merge(read, ticks.pipe(mergeMap(({ timeMs }) => waiting.due(timeMs).map(asHistory))));
    },
  });
};

interface Read extends EventFrames {
  /** `rows`, from which duplicates are dropped later. */
  readonly accepted: EventFrames['rows'];
  /** Events, valid and bad. */
  readonly seen: number;
  readonly refused: FrameOf<typeof deadLetters> | undefined;
}

function readBatch({ messages }: RawBatch, writer: EventRows, limits: MessageLimits): Read {
  const refusals = new Refusals('parse');
  let seen = 0;
  for (const message of messages) seen += readMessage(message, writer, refusals, limits);
  const frames = writer.finish();
  return { ...frames, accepted: frames.rows, seen, refused: refusals.finish() };
}
