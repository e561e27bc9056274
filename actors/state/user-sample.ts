/**
 * user-sample: the events of a sample of users, for a stage whose work per event has to be bounded.
 *
 *   u is in the sample  ⇔  hash(u) < share        hash in [0, 1)
 *   share   1 at first; at a tick: half of it, if more than ROWS_MAX rows came since the one before; twice, up to 1, if less than a quarter of that
 *
 * So of a user in the sample all events are in it, up to ROWS_MAX between two ticks. Rows of the past do not wait: the first PAST_WHOLE of them are all in the
 * sample, of later ones those of PAST_SHARE of the users. What is removed from a cart is in none. An event from the future counts as if it happened when it was
 * stored.
 */
import { type FrameOf, gather, partitionOf, type StateOf, textAt, value } from '../../runtime/contract/stage.js';
import { codeOfType, type parsedEvents, sampledEvents } from '../model.js';
import { WaitingRows, waitingTables } from './waiting-rows.js';

export interface Sample {
  readonly share: number;
  /** Of the past, so far. */
  readonly past: number;
}

const one = (all: readonly Sample[]): Sample => ({
  share: 1,
  past: all.reduce((sum, { past }) => sum + past, 0),
});

export const userSample = () => ({
  sample: value<Sample>(() => ({ share: 1, past: 0 }), undefined, one),
  sampled: waitingTables(sampledEvents),
});
type SampleState = { [K in keyof ReturnType<typeof userSample>]: StateOf<ReturnType<typeof userSample>[K]> };

/** Between two ticks, usually a second. */
const ROWS_MAX = 256;
const SHARE_MIN = 2 ** -16;
const PAST_WHOLE = 500_000;
const PAST_SHARE = 1 / 8;

const REMOVED = codeOfType('remove_from_cart');

type Parsed = FrameOf<typeof parsedEvents>;
type Sampled = FrameOf<typeof sampledEvents>;

export class UserSample {
  private readonly waiting: WaitingRows<typeof sampledEvents.columns>;

  constructor(private readonly state: SampleState) {
    this.waiting = new WaitingRows(state.sampled, sampledEvents);
  }

  add(frame: Parsed): void {
    const rows = sampledRows(frame, this.state.sample.get().share).subarray(0, ROWS_MAX + 1 - this.waiting.rows);
    if (rows.length > 0) this.waiting.add(asSampled(gather(frame, rows)));
  }

  /** At a tick; absent: there are none. */
  release(): Sampled | undefined {
    const { sample } = this.state;
    const { share, past } = sample.get();
    const { rows } = this.waiting;
    const next =
      rows > ROWS_MAX ? Math.max(share / 2, SHARE_MIN) : rows * 4 < ROWS_MAX ? Math.min(1, share * 2) : share;
    if (next !== share) sample.set({ share: next, past });
    return rows === 0 ? undefined : this.waiting.release();
  }

  past(frame: Parsed): Sampled | undefined {
    const { sample } = this.state;
    const { share, past } = sample.get();
    const rows = sampledRows(frame, past < PAST_WHOLE ? 1 : PAST_SHARE);
    sample.set({ share, past: past + frame.rows });
    return rows.length === 0 ? undefined : asSampled(gather(frame, rows));
  }
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
  const { time, storedAt, user, item, category, brand, price, past } = columns;
  const happened = time.map((at, row) => (at > storedAt[row]! ? storedAt[row]! : at));
  return { type: sampledEvents, rows, columns: { time: happened, user, item, category, brand, price, past } };
}
