/**
 * pastIsDue(waiting, past, ticks): when users with events of the past are to be ranked; emits PAST.
 *
 *   past     --a--b---------|
 *   ticks    ---1--2--3--4--|
 *   result   ---------x-----|      at 2 since b came after 1; at 3 nothing has
 *
 * An import has many events of a user, and a list for each of them would cost more than all that counts them. So its users wait until a tick finds that
 * none came since the tick before it, TICKS_MAX ticks at most, and no longer than EVENTS_MAX events.
 */
import { merge, mergeMap, type Observable } from 'rxjs';
import type { FrameOf, Tick, Value } from '../../runtime/contract/stage.js';
import type { windowRows } from '../model.js';
import { PAST } from '../state/epoch-interests.js';

/** A minute. */
const TICKS_MAX = 60;
const EVENTS_MAX = 250_000;

/** Of the past that waits: how many events, for how many ticks, and whether any came since the last one. */
export interface WaitingPast {
  readonly events: number;
  readonly ticks: number;
  readonly more: boolean;
}

export const NONE_WAITING: WaitingPast = { events: 0, ticks: 0, more: false };

export function pastIsDue(
  waiting: Value<WaitingPast>,
  past: Observable<FrameOf<typeof windowRows>>,
  ticks: Observable<Tick>,
): Observable<typeof PAST> {
  const release = (): (typeof PAST)[] => {
    waiting.set(NONE_WAITING);
    return [PAST];
  };
  const counted = past.pipe(
    mergeMap(({ rows }) => {
      const { events, ticks } = waiting.get();
      if (events + rows >= EVENTS_MAX) return release();
      waiting.set({ events: events + rows, ticks, more: true });
      return [];
    }),
  );
  const waited = ticks.pipe(
    mergeMap(() => {
      const { events, ticks, more } = waiting.get();
      if (events === 0) return [];
      if (!more || ticks + 1 >= TICKS_MAX) return release();
      waiting.set({ events, ticks: ticks + 1, more: false });
      return [];
    }),
  );
  return merge(counted, waited);
}
