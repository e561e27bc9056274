/**
 * keepLists(lists): stores each user's latest list; emits nothing.
 *
 *   ranked   --a--b--|      a: u → 1, 2    v → 9    b: u → 3
 *   result   --------|      the state then holds u → 3 and v → 9
 *
 * Law: the state depends on the last list of each user alone, not on how lists are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { type FrameOf, type Keyed, textAt } from '../../runtime/contract/stage.js';
import { appendToList, type PackedList, packList } from '../maths/ranked-list.js';
import type { ranked } from '../model.js';

type Ranked = FrameOf<typeof ranked>;

export const keepLists =
  (lists: Keyed<PackedList>) =>
  (frames: Observable<Ranked>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        keep(frame, lists);
      }),
      ignoreElements(),
    );

function keep(frame: Ranked, lists: Keyed<PackedList>): void {
  const { user, rank } = frame.columns;
  for (let start = 0, end = 0; start < frame.rows; start = end) {
    const code = user.codes[start]!;
    for (end = start + 1; end < frame.rows && user.codes[end] === code && rank[end]! > rank[end - 1]!;) end++;
    const key = textAt(user.dictionary, code);
    if (key === undefined) continue;
    // A list of very long ids may have been split between two messages: the second continues the first.
    const begun = rank[start]! > 1 ? lists.get(key) : undefined;
    lists.set(key, begun === undefined ? packList(frame, start, end) : appendToList(begun, frame, start, end));
  }
}
