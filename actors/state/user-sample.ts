/**
 * user-sample: the events of a sample of users, for a stage whose work per event has to be bounded.
 *
 *   u is in the sample  ⇔  hash(u) < share        hash in [0, 1)
 *   share   1 at first; at a tick: half of it, if more than ROWS_MAX rows came since the one before; twice, up to 1, if less than a quarter of that
 *
 * So of a user in the sample all events are in it, up to ROWS_MAX between two ticks. They wait until there are FRAME_ROWS, or for the tick: a message costs
 * more than what is done with a few rows, and what is done with many of them holds up answers. Rows of the past do not wait, and are in order of time: the first PAST_WHOLE of them are all in the
 * sample, of later ones those of PAST_SHARE of the users. What is removed from a cart is in none. An event from the future counts as if it happened when it was
 * stored.
 */
import { type FrameOf, gather, partitionOf, type StateOf, textAt, value } from '../../runtime/contract/stage.js';
import { codeOfType, type parsedEvents, sampledEvents } from '../model.js';
import { WaitingRows, waitingTables } from './waiting-rows.js';

export interface Sample {
  readonly share: number;
  /** Since the last tick. */
  readonly rows: number;
  /** Of the past, so far. */
  readonly past: number;
}

const NEW_SAMPLE: Sample = { share: 1, rows: 0, past: 0 };

const one = (all: readonly Sample[]): Sample => ({
  ...NEW_SAMPLE,
  past: all.reduce((sum, { past }) => sum + past, 0),
});

export const userSample = () => ({
  sample: value<Sample>(() => NEW_SAMPLE, undefined, one),
  sampled: waitingTables(sampledEvents),
});
type SampleState = { [K in keyof ReturnType<typeof userSample>]: StateOf<ReturnType<typeof userSample>[K]> };

/** Between two ticks, usually a second. */
const ROWS_MAX = 128;
const FRAME_ROWS = 32;
const SHARE_MIN = 2 ** -16;
const PAST_WHOLE = 200_000;
const PAST_SHARE = 1 / 8;

const REMOVED = codeOfType('remove_from_cart');

type Parsed = FrameOf<typeof parsedEvents>;
type Sampled = FrameOf<typeof sampledEvents>;

export class UserSample {
  private readonly waiting: WaitingRows<typeof sampledEvents.columns>;

  constructor(private readonly state: SampleState) {
    this.waiting = new WaitingRows(state.sampled, sampledEvents);
  }

  /** Rows that are due; absent: there are none. */
  add(frame: Parsed): Sampled | undefined {
    const { sample } = this.state;
    const { share, rows: before, past } = sample.get();
    const rows = sampledRows(frame, share).subarray(0, ROWS_MAX + 1 - before);
    if (rows.length === 0) return undefined;
    this.waiting.add(asSampled(gather(frame, rows)));
    sample.set({ share, rows: before + rows.length, past });
    return this.waiting.rows >= FRAME_ROWS ? this.waiting.release() : undefined;
  }

  /** At a tick; absent: there are none. */
  release(): Sampled | undefined {
    const { sample } = this.state;
    const { share, rows, past } = sample.get();
    if (rows > 0 || share < 1) sample.set({ share: nextShare(share, rows), rows: 0, past });
    return this.waiting.rows === 0 ? undefined : this.waiting.release();
  }

  past(frame: Parsed): Sampled | undefined {
    const { sample } = this.state;
    const { share, rows: live, past } = sample.get();
    const { time } = frame.columns;
    const rows = sampledRows(frame, past < PAST_WHOLE ? 1 : PAST_SHARE).sort((a, b) => time[a]! - time[b]! || a - b);
    sample.set({ share, rows: live, past: past + frame.rows });
    return rows.length === 0 ? undefined : asSampled(gather(frame, rows));
  }
}

function nextShare(share: number, rows: number): number {
  if (rows > ROWS_MAX) return Math.max(share / 2, SHARE_MIN);
  return rows * 4 < ROWS_MAX ? Math.min(1, share * 2) : share;
}

const BUCKETS = 2 ** 20;

function sampledRows({ rows, columns: { user, type } }: Parsed, share: number): Uint32Array {
  const isIn = new Int8Array(user.dictionary.size).fill(-1);
  const isSampled = (code: number): boolean => {
    if (isIn[code]! < 0)
      isIn[code] = Number(partitionOf(textAt(user.dictionary, code) ?? '', BUCKETS) < share * BUCKETS);
    return isIn[code] === 1;
  };
  return Uint32Array.from({ length: rows }, (_, row) => row).filter(
    (row) => type[row] !== REMOVED && (share === 1 || isSampled(user.codes[row]!)),
  );
}

function asSampled({ rows, columns }: Parsed): Sampled {
  const { time, storedAt, type, user, item, category, brand, price, past, position, arm } = columns;
  const happened = time.map((at, row) => (at > storedAt[row]! ? storedAt[row]! : at));
  return {
    type: sampledEvents,
    rows,
    columns: { time: happened, type, user, item, category, brand, price, past, position, arm },
  };
}
