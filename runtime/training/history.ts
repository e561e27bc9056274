/** Reads the history: accepted events with all their fields, in the order in which they were accepted. */
import { fromBinary } from '@bufbuild/protobuf';
import { historyRows } from '../../actors/model.js';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fatal } from '../contract/errors.js';
import { streamOf } from '../contract/graph.js';
import type { Log } from '../contract/ports.js';
import { streamInfo } from '../contract/streams.js';
import { frameIn } from '../frames/codec.js';
import { type Frame, gather, slice } from '../frames/frame.js';

export type HistoryFrame = Frame<typeof historyRows.columns>;

/** Event times, epoch ms: from inclusive, to exclusive; absent: no bound. */
export interface HistoryRange {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

export interface HistoryPiece {
  /** The events in the range, perhaps none. */
  readonly events: HistoryFrame;
  /** Of the message that they came in. */
  readonly bytes: number;
  readonly rows: number;
  /** How much of the history has been read, 0 to 1. */
  readonly share: number;
}

const STREAM = streamOf('history');
/** Not what others may have written. */
const SUBJECTS = 'rivulet.history.*.parse.*';
const TAKE_MESSAGES = 16;

/** Up to its end as it is now, each event once. Fatal HISTORY_NONE: this deployment has none. */
export async function* historyPieces(
  log: Log,
  { from = -Infinity, to = Infinity }: HistoryRange,
  signal: AbortSignal,
): AsyncGenerator<HistoryPiece, void, undefined> {
  const info = await streamInfo(log, STREAM);
  if (info === undefined) {
    throw fatal('HISTORY_NONE', 'this deployment has no history', {
      hint: 'set history.megabytes above 0 and restart its nodes: events are retained from then on',
    });
  }
  const end = (await log.last(STREAM, SUBJECTS))?.sequence ?? 0;
  const first = info.firstSequence;
  if (end < first) return;
  const latest = new Map<string, Position>();
  const reader = await log.read(STREAM, { filters: [SUBJECTS], from: first });
  const onAbort = (): void => void reader.close();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    for (let at = 0; at < end;) {
      for (const { sequence, subject, data, expected } of await reader.take(TAKE_MESSAGES)) {
        at = sequence;
        if (sequence > end) break;
        if (expected === undefined) continue;
        const envelope = fromBinary(EnvelopeSchema, data);
        const share = end === first ? 1 : (sequence - first) / (end - first);
        const frame = frameIn(envelope.body, historyRows);
        if (frame !== undefined) {
          const events = behind(frame, latest.get(subject));
          // Of a repeated message nothing is behind: the next one may be repeated too.
          if (events.rows > 0) latest.set(subject, positionAt(frame, frame.rows - 1));
          yield { events: within(events, from, to), bytes: data.length, rows: events.rows, share };
        } else if (envelope.sequence === 0 && !envelope.claim) latest.delete(subject);
      }
      signal.throwIfAborted();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    await reader.close();
  }
}

/** Of an event in the stream of events. */
interface Position {
  readonly sequence: number;
  readonly index: number;
}

const positionAt = ({ columns: { sequence, index } }: HistoryFrame, row: number): Position => ({
  sequence: sequence[row]!,
  index: index[row]!,
});

/**
 * The events behind the last one that was read. `rivulet repair --start-anew` makes a node read publishers' messages again: some events then come a second
 * time, at the same positions.
 */
function behind(frame: HistoryFrame, last: Position | undefined): HistoryFrame {
  if (last === undefined) return frame;
  const isBehind = ({ sequence, index }: Position): boolean =>
    sequence > last.sequence || (sequence === last.sequence && index > last.index);
  let start = 0;
  while (start < frame.rows && !isBehind(positionAt(frame, start))) start++;
  return start === 0 ? frame : slice(frame, start, frame.rows);
}

function within(frame: HistoryFrame, fromMs: number, toMs: number): HistoryFrame {
  const { time } = frame.columns;
  if (time.every((ms) => ms >= fromMs && ms < toMs)) return frame;
  return gather(
    frame,
    Uint32Array.from(time.keys()).filter((row) => time[row]! >= fromMs && time[row]! < toMs),
  );
}
