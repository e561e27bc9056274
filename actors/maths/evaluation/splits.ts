/**
 * splits: which interactions a model may learn from, and which it is judged by.
 *
 *   item-stratified   of each item a share of its interactions, at random, is for training
 *   random            of all interactions a share, at random, is for training
 *   leave-last        all but the latest interaction of each user are; a user with one has none to be judged by
 *   temporal          the earliest share of all interactions is
 *
 * The share is rounded to the nearest whole number. Of two interactions at one time the one that comes later in the input is later.
 */
import { seededRandom, shuffle } from '../random.js';

export const SPLITS = ['item-stratified', 'random', 'leave-last', 'temporal'] as const;
export type Split = (typeof SPLITS)[number];

export interface SplitOptions {
  /** Of training, in (0, 1); leave-last has none. */
  readonly share: number;
  readonly seed: number;
}

/** Who did something with what, and when: columns. */
export interface Dated {
  readonly user: Uint32Array;
  readonly item: Uint32Array;
  /** Epoch ms. */
  readonly time: Float64Array;
}

/** 1 where an interaction is for training. */
export function split(by: Split, { user, item, time }: Dated, { share, seed }: SplitOptions): Uint8Array {
  const random = seededRandom(seed);
  const isTraining = new Uint8Array(user.length);
  const groups =
    by === 'item-stratified' ? grouped(item) : by === 'leave-last' ? grouped(user) : [Uint32Array.from(user.keys())];
  for (const rows of groups) {
    if (by === 'item-stratified' || by === 'random') shuffle(rows, random);
    else rows.sort((a, b) => time[a]! - time[b]! || a - b);
    const training = by === 'leave-last' ? rows.length - 1 : Math.round(rows.length * share);
    for (const row of rows.subarray(0, training)) isTraining[row] = 1;
    if (by === 'leave-last' && rows.length === 1) isTraining[rows[0]!] = 1;
  }
  return isTraining;
}

/** The rows of each number. */
function grouped(numbers: Uint32Array): Uint32Array[] {
  const groups = new Map<number, number[]>();
  numbers.forEach((number, row) => {
    const rows = groups.get(number);
    if (rows === undefined) groups.set(number, [row]);
    else rows.push(row);
  });
  return [...groups.values()].map((rows) => Uint32Array.from(rows));
}
