/**
 * rememberSeen({ seen, seenBefore }): stores the items that each user interacted with last (state/seen-items); emits nothing.
 *
 *   interactions  --a--b--|      a: u 1 at 5, u 2 at 6    b: u 1 at 7, u 3 at 3
 *   result        --------|      after a: u → 1 at 5, 2 at 6    after b: u → 1 at 7, 2 at 6, 3 at 3
 *
 * Law: what is read of the state depends on the rows and their times alone, not on their order or on how they are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { ABSENT, type FrameOf, type Keyed, textAt } from '../../runtime/contract/stage.js';
import type { interactions } from '../model.js';
import { latestSeen, RECENT_MAX, Seen } from '../state/seen-items.js';

type Interactions = FrameOf<typeof interactions>;

interface SeenState {
  readonly seen: Keyed<Seen>;
  readonly seenBefore: Keyed<Seen>;
}

export const rememberSeen =
  (state: SeenState) =>
  (frames: Observable<Interactions>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        remember(frame, state);
      }),
      ignoreElements(),
    );

function remember(frame: Interactions, { seen: recent, seenBefore: before }: SeenState): void {
  const { user, item, time } = frame.columns;
  const touched = new Map<number, Seen>();
  for (let row = 0; row < frame.rows; row++) {
    const [userCode, itemCode] = [user.codes[row]!, item.codes[row]!];
    if (userCode === ABSENT || itemCode === ABSENT) continue;
    let seen = touched.get(userCode);
    if (seen === undefined)
      touched.set(userCode, (seen = recent.get(textAt(user.dictionary, userCode)!) ?? new Seen()));
    seen.add(textAt(item.dictionary, itemCode)!, time[row]!);
  }
  for (const [userCode, seen] of touched) {
    const id = textAt(user.dictionary, userCode)!;
    if (seen.size > RECENT_MAX) before.set(id, latestSeen(seen, before.get(id)));
    recent.set(id, seen.size > RECENT_MAX ? new Seen() : seen);
  }
}
