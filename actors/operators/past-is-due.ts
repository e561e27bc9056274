/**
 * pastIsDue(state, past, ticks): when users with events of the past are to be ranked; emits the numbers of their portions (state/epoch-interests).
 *
 *   past     --a--b-----------|      a: a user of portion 1    b: one of 2, one of 3
 *   ticks    ---1----2--3--4--|
 *   result   ---1-------2-----|      at 1 one portion, at 2 none, since events came before; at 3 all that wait: 2 and 3
 *
 * An import has many events of a user, and a list for each of them would cost more than all that counts them; lists of all users at once would hold up live
 * events. So while the import goes on every second tick has one portion, in turn: each user waits for about 2 · PORTIONS ticks. At a tick since whose
 * predecessor nothing came, portions are due until they have USERS_PER_TICK users. Above USERS_MAX or EVENTS_MAX they are due at once.
 *
 * Law: every user that waits is ranked, within 2 · PORTIONS ticks; what is due depends on the state and the inputs alone.
 */
import { merge, mergeMap, type Observable } from 'rxjs';
import type { FrameOf, Tick, Value } from '../../runtime/contract/stage.js';
import type { windowRows } from '../model.js';
import { portionsIn, type RunningEpoch } from '../state/epoch-interests.js';

/** Some 70 µs of CPU for each: with four partitions a quarter of two cores. */
const USERS_PER_TICK = 2_000;
/** A portion then has as many as a tick. */
const USERS_MAX = 62_000;
/** Pairs of user and item. */
const EVENTS_MAX = 250_000;

/** Of the past that waits: the portion whose turn it is, whether any came since the last tick, and whether that one had a portion though some had. */
export interface WaitingPast {
  readonly next: number;
  readonly more: boolean;
  readonly pause: boolean;
}

export const NONE_WAITING: WaitingPast = { next: 0, more: false, pause: false };

export interface WaitingState extends RunningEpoch {
  readonly waiting: Value<WaitingPast>;
}

export function pastIsDue(
  { waiting, interests, pairs }: WaitingState,
  past: Observable<FrameOf<typeof windowRows>>,
  ticks: Observable<Tick>,
): Observable<number> {
  const usersOf = (portion: number): number => interests.table(portion).dictionary('user').size - 1;
  const inTurn = (): number[] => {
    const { next } = waiting.get();
    const portions = portionsIn(interests);
    return [...portions.filter((portion) => portion >= next), ...portions.filter((portion) => portion < next)];
  };
  const release = (portions: readonly number[], then: Omit<WaitingPast, 'next'>): readonly number[] => {
    const last = portions.at(-1);
    waiting.set({ next: last === undefined ? waiting.get().next : last + 1, ...then });
    return portions;
  };
  const overfull = past.pipe(
    mergeMap(() => {
      const portions = inTurn();
      let users = portions.reduce((sum, portion) => sum + usersOf(portion), 0);
      let events = portions.reduce((sum, portion) => sum + pairs.table(portion).rows, 0);
      const due: number[] = [];
      for (const portion of portions) {
        if (users <= USERS_MAX && events <= EVENTS_MAX) break;
        users -= usersOf(portion);
        events -= pairs.table(portion).rows;
        due.push(portion);
      }
      return release(due, { more: true, pause: waiting.get().pause });
    }),
  );
  const atTicks = ticks.pipe(
    mergeMap(() => {
      const { more, pause } = waiting.get();
      if (more && pause) return release([], { more: false, pause: false });
      const usersMax = more ? 0 : USERS_PER_TICK;
      const due: number[] = [];
      let users = 0;
      for (const portion of inTurn()) {
        users += usersOf(portion);
        if (due.length > 0 && users > usersMax) break;
        due.push(portion);
      }
      return release(due, { more: false, pause: more });
    }),
  );
  return merge(overfull, atTicks);
}
