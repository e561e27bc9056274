/**
 * The current epoch of interest-ranking, and the past that waits: a row per (user, main category) and per (user, item), in order of first appearance.
 * The past is divided by user into portions, each of which has a table of its own.
 */
import {
  ABSENT,
  type Columns,
  frameType,
  hashAt,
  type StateOf,
  type Tables,
  tables,
  type TextColumn,
} from '../../runtime/contract/stage.js';
import { interactions } from '../model.js';

/** `value` as of `time`, which only a decayed sum uses. */
const interestRows = frameType('epoch-interest', { user: 'text', category: 'text', value: 'f64', time: 'f64' });

export const epochInterests = () => tables(interestRows, { key: ['user', 'category'], by: 'user' });
export const epochPairs = () => tables(interactions, { key: ['user', 'item'], by: 'user' });

export type EpochInterests = ReturnType<StateOf<ReturnType<typeof epochInterests>>['table']>;
export type EpochPairs = ReturnType<StateOf<ReturnType<typeof epochPairs>>['table']>;

export interface RunningEpoch {
  readonly interests: StateOf<ReturnType<typeof epochInterests>>;
  readonly pairs: StateOf<ReturnType<typeof epochPairs>>;
}

/** The table of the current epoch; those of the past are 1 to PORTIONS. */
export const RUNNING = 0;
/** Prime: users are divided over partitions by the same hash, and each partition shall have all portions. */
export const PORTIONS = 31;

/** Which tables rows go to, and which rows; without a selection all. */
export type TablesFor = (users: TextColumn) => Iterable<readonly [table: number, selection?: Uint32Array]>;

export const ofEpoch: TablesFor = () => [[RUNNING]];

/** Each user always has the same portion. */
export const ofPast: TablesFor = ({ codes, dictionary }) => {
  const portionOf = new Uint8Array(dictionary.size);
  const rows = new Map<number, number[]>();
  codes.forEach((code, row) => {
    const portion = (portionOf[code] ||= 1 + (code === ABSENT ? 0 : hashAt(dictionary, code) % PORTIONS));
    const selected = rows.get(portion);
    if (selected === undefined) rows.set(portion, [row]);
    else selected.push(row);
  });
  return Array.from(rows, ([portion, selection]) => [portion, Uint32Array.from(selection)]);
};

/** The portions that wait, ascending. */
export const portionsIn = <C extends Columns, K extends keyof C & string>(interests: Tables<C, K>): number[] =>
  interests.numbers().filter((number) => number !== RUNNING);
