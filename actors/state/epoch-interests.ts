/** The current epoch of interest-ranking, and the past that waits: a row per (user, main category) and per (user, item), in order of first appearance. */
import { frameType, type StateOf, tables } from '../../runtime/contract/stage.js';
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

/** The tables of each kind: of the current epoch, and of the past. */
export const RUNNING = 0;
export const PAST = 1;
export type Counted = typeof RUNNING | typeof PAST;
