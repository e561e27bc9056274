/**
 * shown: what was shown to users, and what they did with it (ranking-learner).
 *
 *   an impression of item i to user u, in arm a      n(u) + 1; i is shown to u for SHOWN_MS
 *   an event of u and an item y                      of those that are shown to u now: judged + 1; y one of them: hits + 1, and, the first time, c(u) + 1
 *
 * Sums by arm as in maths/experiment; n(u) and c(u) are of the arm in which u is now, and begin anew in another one. An impression without an arm is shown, and
 * counts in none.
 */
import { json, type Keyed, keyed, value, type Value } from '../../runtime/contract/stage.js';
import { type ArmSums, NO_SUMS, type OfUser, withUser } from '../maths/experiment.js';

export interface ShownItem {
  readonly item: string;
  /** From 1; 0: not said. */
  readonly position: number;
  /** Epoch ms. */
  readonly at: number;
  /** Whether the user has done something with it since. */
  readonly followed: boolean;
}

export interface ShownToUser extends OfUser {
  readonly arm: string | undefined;
  /** Newest first. */
  readonly latest: readonly ShownItem[];
}

/** By arm; the one that was not heard of longest is first. */
export type Arms = Readonly<Record<string, ArmSums>>;

export interface ShownSums {
  /** Whether anything was ever shown: where nothing was, an event costs no look at its user. */
  readonly any: boolean;
  readonly arms: Arms;
}

export interface ShownState {
  readonly shown: Keyed<ShownToUser>;
  readonly sums: Value<ShownSums>;
}

const SHOWN_MS = 30 * 60_000;
/** Of a user, at a time. */
const SHOWN_MAX = 50;
/** Names come from publishers. */
const ARMS_MAX = 16;
const CACHED_BYTES_MAX = 4 * 1024 * 1024;

export const shownState = () => ({
  shown: keyed(json<ShownToUser>(), { cachedBytesMax: CACHED_BYTES_MAX, rescale: (same) => same }),
  sums: value(
    (): ShownSums => ({ any: false, arms: {} }),
    undefined,
    ([one]) => one!,
  ),
});

const NOBODY: ShownToUser = { arm: undefined, shown: 0, followed: 0, latest: [] };

export function show(state: ShownState, user: string, arm: string | undefined, one: Omit<ShownItem, 'followed'>): void {
  const known = state.shown.get(user) ?? NOBODY;
  const before = known.arm === arm ? known : { ...NOBODY, latest: known.latest };
  const latest = [{ ...one, followed: false }, ...before.latest.filter(({ item }) => item !== one.item)];
  const after = { arm, shown: before.shown + 1, followed: before.followed, latest: latest.slice(0, SHOWN_MAX) };
  state.shown.set(user, after);
  if (arm !== undefined) count(state, arm, (sums) => withUser(sums, before, after));
  else if (!state.sums.get().any) state.sums.set({ ...state.sums.get(), any: true });
}

/** What is shown to a user as an item is chosen; empty where the item is not among it. */
export function follow(state: ShownState, user: string, item: string, atMs: number): readonly ShownItem[] {
  const before = state.sums.get().any ? state.shown.get(user) : undefined;
  if (before === undefined) return [];
  const shown = before.latest.filter(({ at }) => at <= atMs && atMs - at < SHOWN_MS);
  if (shown.length === 0) return [];
  const found = shown.find((one) => one.item === item);
  const isFirst = found?.followed === false;
  const latest = before.latest.map((one) => (one === found ? { ...one, followed: true } : one));
  const after = isFirst ? { ...before, followed: before.followed + 1, latest } : before;
  if (isFirst) state.shown.set(user, after);
  if (before.arm !== undefined) {
    const hits = Number(found !== undefined);
    count(state, before.arm, (sums) => ({
      ...withUser(sums, before, after),
      judged: sums.judged + 1,
      hits: sums.hits + hits,
    }));
  }
  return found === undefined ? [] : shown;
}

function count({ sums }: ShownState, arm: string, change: (sums: ArmSums) => ArmSums): void {
  const { [arm]: own = NO_SUMS, ...others } = sums.get().arms;
  const kept = Object.entries(others).slice(1 - ARMS_MAX);
  sums.set({ any: true, arms: { ...Object.fromEntries(kept), [arm]: change(own) } });
}
