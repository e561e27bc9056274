/**
 * keepInterests(users): stores each user's latest interests; emits nothing.
 *
 *   interests  --a--b--|      a: u → electronics (2), kids (1)    v → none    b: u → kids (3)
 *   result     --------|      the state then holds u → kids (3) and v → none
 *
 * Law: the state depends on the last interests of each user alone, not on how users are divided into frames. (All of a user are in one frame.)
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { ABSENT, type FrameOf, type Keyed, textAt } from '../../runtime/contract/stage.js';
import type { TopInterests } from '../maths/made-list.js';
import type { interests } from '../model.js';

type Interests = FrameOf<typeof interests>;

export const keepInterests =
  (users: Keyed<TopInterests>) =>
  (frames: Observable<Interests>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        keep(frame, users);
      }),
      ignoreElements(),
    );

function keep({ rows, columns }: Interests, users: Keyed<TopInterests>): void {
  const { user, category, interest, rank } = columns;
  for (let start = 0, end = 0; start < rows; start = end) {
    const code = user.codes[start]!;
    const own: (readonly [string, number])[] = [];
    for (; end < rows && user.codes[end] === code && (end === start || rank[end]! > rank[end - 1]!); end++) {
      if (category.codes[end] === ABSENT) continue;
      own.push([textAt(category.dictionary, category.codes[end]!)!, interest[end]!]);
    }
    const key = textAt(user.dictionary, code);
    if (key !== undefined) users.set(key, own);
  }
}
