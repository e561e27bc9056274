/**
 * item-factors: trains the vectors of items by implicit ALS (maths/als) from who did what with which items.
 *
 *   r(u, i) = 1 + ln n(u, i)        n  how often u did something with i: more often says more, but ever less
 *
 * Items are the ITEMS_MAX that most users did something with. Memory: of more than EVENTS_MAX events those of half of the users stay, by the hash of
 * their id, then of a quarter …: items need no more than that many.
 */
import { trainAls } from '../../actors/maths/als/als.js';
import { gramOf } from '../../actors/maths/als/row-system.js';
import { sparse } from '../../actors/maths/als/sparse.js';
import { itemFactors } from '../../actors/model.js';
import { vectorText } from '../../actors/ranking/factor-table.js';
import { type Frame, frameOf } from '../frames/frame.js';
import { partitionOf } from '../state/rescaling.js';
import { alsThreads } from './als-threads.js';

export interface FactorOptions {
  /** Numbers per vector. */
  readonly rank: number;
  readonly alpha: number;
  readonly regularisation: number;
  readonly iterations: number;
  readonly seed: number;
}

/** What did well on films, a shop and tweets at once. */
export const FACTOR_OPTIONS: FactorOptions = { rank: 32, alpha: 10, regularisation: 1, iterations: 8, seed: 1 };

export interface TrainedFactors {
  readonly options: FactorOptions;
  /** Distinct users, and pairs of a user and an item, that it was trained from. */
  readonly users: number;
  readonly interactions: number;
  readonly items: readonly string[];
  /** `rank` numbers for each item. */
  readonly vectors: Float64Array;
  /** Xᵀ X of the users: the lower triangle, in rank × rank numbers. */
  readonly userGram: Float64Array;
}

/** What a question ranks by factors takes 10 µs per thousand. */
const ITEMS_MAX = 10_000;
/** A number of 8 bytes each. */
const EVENTS_MAX = 16_000_000;
const BUCKETS = 2 ** 20;
/** More items than anybody has, and few enough that users × items are whole numbers. */
const ITEM_STEP = 2 ** 24;

export class Interactions {
  private users = new Map<string, number>();
  private readonly items = new Map<string, number>();
  private keys = new Float64Array(1024);
  private count = 0;
  private share = 1;

  constructor(private readonly eventsMax = EVENTS_MAX) {}

  add(user: string, item: string): void {
    if (!this.isSampled(user)) return;
    if (this.count === this.eventsMax) {
      this.halve();
      this.add(user, item);
      return;
    }
    if (this.count === this.keys.length) {
      const keys = new Float64Array(Math.min(this.eventsMax, 2 * this.count));
      keys.set(this.keys);
      this.keys = keys;
    }
    this.keys[this.count++] = numberOf(this.users, user) * ITEM_STEP + numberOf(this.items, item);
  }

  /** Absent: there are no interactions. */
  train(options: FactorOptions, threads: number, onIteration: (done: number) => void = () => undefined) {
    const pairs = this.pairs();
    if (pairs.user.length === 0) return undefined;
    const { vectors, userGram, chosen, users, interactions } = trained(pairs, options, threads, onIteration);
    const names = [...this.items.keys()];
    return {
      options,
      users,
      interactions,
      items: chosen.map((item) => names[item]!),
      vectors,
      userGram,
    } satisfies TrainedFactors;
  }

  private isSampled(user: string): boolean {
    return this.share === 1 || partitionOf(user, BUCKETS) < this.share * BUCKETS;
  }

  private halve(): void {
    this.share /= 2;
    const numbers = new Map<string, number>();
    const now = [...this.users.keys()].map((user) => (this.isSampled(user) ? numberOf(numbers, user) : -1));
    let left = 0;
    for (let at = 0; at < this.count; at++) {
      const key = this.keys[at]!;
      const user = now[Math.floor(key / ITEM_STEP)]!;
      if (user >= 0) this.keys[left++] = user * ITEM_STEP + (key % ITEM_STEP);
    }
    this.users = numbers;
    this.count = left;
  }

  /** Each user and item once, with how often. */
  private pairs(): Pairs {
    const keys = this.keys.slice(0, this.count).sort();
    const pairs: { user: number[]; item: number[]; times: number[] } = { user: [], item: [], times: [] };
    for (let at = 0, end = 0; at < keys.length; at = end) {
      while (end < keys.length && keys[end] === keys[at]) end++;
      pairs.user.push(Math.floor(keys[at]! / ITEM_STEP));
      pairs.item.push(keys[at]! % ITEM_STEP);
      pairs.times.push(end - at);
    }
    return pairs;
  }
}

interface Pairs {
  readonly user: readonly number[];
  readonly item: readonly number[];
  readonly times: readonly number[];
}

function numberOf(numbers: Map<string, number>, text: string): number {
  const known = numbers.get(text) ?? numbers.size;
  numbers.set(text, known);
  return known;
}

function trained(
  { user, item, times }: Pairs,
  options: FactorOptions,
  threads: number,
  onIteration: (done: number) => void,
) {
  const usersOf = new Map<number, number>();
  for (const one of item) usersOf.set(one, (usersOf.get(one) ?? 0) + 1);
  const most = [...usersOf].sort((a, b) => b[1] - a[1] || a[0] - b[0]);
  const chosen = most.slice(0, ITEMS_MAX).map(([one]) => one);
  const column = new Map(chosen.map((one, at) => [one, at]));
  const row = new Map<number, number>();
  const rowOf = (one: number): number => {
    const known = row.get(one) ?? row.size;
    row.set(one, known);
    return known;
  };
  const kept = [...item.keys()].filter((at) => column.has(item[at]!));
  const ratings = sparse({
    row: kept.map((at) => rowOf(user[at]!)),
    column: kept.map((at) => column.get(item[at]!)!),
    value: kept.map((at) => 1 + Math.log(times[at]!)),
    rows: row.size,
    columns: chosen.length,
  });
  const { items: vectors, users } = trainAls(
    ratings,
    { ...options, solver: 'conjugate-gradient' },
    { team: alsThreads(threads), onIteration },
  );
  const userGram = gramOf(users, [0, row.size], options.rank);
  return { vectors, userGram, chosen, users: row.size, interactions: kept.length };
}

/** A message carries a fraction of a MB. */
const FRAME_BYTES = 192 * 1024;

/** `trainedMs`: epoch ms. */
export function* framesOf(
  { options, items, vectors, userGram }: TrainedFactors,
  trainedMs: number,
): Generator<Frame<typeof itemFactors.columns>> {
  const { rank, alpha, regularisation } = options;
  const rows = Math.max(1, Math.floor(FRAME_BYTES / (rank * 6)));
  for (let first = 0; first < items.length; first += rows) {
    yield frameOf(
      itemFactors,
      items.slice(first, first + rows).map((item, i) => {
        const at = first + i;
        const vector = vectorText(vectors.subarray(at * rank, (at + 1) * rank));
        const last = at === items.length - 1 ? 1 : 0;
        const own = { item, vector, trainedAt: trainedMs, alpha, regularisation, last };
        return last === 1 ? { ...own, userGram: vectorText(userGram) } : own;
      }),
    );
  }
}
