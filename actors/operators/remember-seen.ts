/**
 * rememberSeen(seen, max): stores the `max` items that each user interacted with last; emits nothing.
 *
 *   interactions  --a--b--|      max 2; a: u 1 at 5, u 2 at 6    b: u 1 at 7, u 3 at 3
 *   result        --------|      after a: u → 1 at 5, 2 at 6    after b: u → 1 at 7, 2 at 6
 *
 * Law: the state depends on the rows and their times alone, not on their order or on how they are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { ABSENT, type FrameOf, type Keyed, textAt } from '../../runtime/contract/stage.js';
import type { interactions } from '../model.js';
import { Seen } from '../state/seen-items.js';

type Interactions = FrameOf<typeof interactions>;

export const rememberSeen =
  (seen: Keyed<Seen>, seenMax: number) =>
  (frames: Observable<Interactions>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        remember(frame, seen, seenMax);
      }),
      ignoreElements(),
    );

function remember(frame: Interactions, seenBy: Keyed<Seen>, seenMax: number): void {
  const { user, item, time } = frame.columns;
  const touched = new Map<number, Seen>();
  for (let row = 0; row < frame.rows; row++) {
    const [userCode, itemCode] = [user.codes[row]!, item.codes[row]!];
    if (userCode === ABSENT || itemCode === ABSENT) continue;
    let seen = touched.get(userCode);
    if (seen === undefined)
      touched.set(userCode, (seen = seenBy.get(textAt(user.dictionary, userCode)!) ?? new Seen()));
    const id = textAt(item.dictionary, itemCode)!;
    if (seen.get(id)! >= time[row]!) continue;
    seen.set(id, time[row]!);
    seen.additions++;
    if (seen.size > seenMax) seen.deleteOldest();
  }
  for (const [userCode, seen] of touched) seenBy.set(textAt(user.dictionary, userCode)!, seen);
}
