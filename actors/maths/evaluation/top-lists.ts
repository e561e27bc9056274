/** top-lists: of each user the k items with the highest scores that the user has not, and that somebody has; by score desc, then by number. */
import { columnsOf } from '../als/sparse.js';
import { topRows } from '../top-rows.js';
import type { Scorer, Training } from './models.js';

/** The one over all items. */
const ONE_LIST = Uint8Array.of(1);

/** One user after the other: memory is that of one list of scores. */
export function topLists(
  scorer: Scorer,
  { byUser, byItem }: Training,
  users: readonly number[],
  k: number,
): Uint32Array[] {
  const { rows, start } = byItem;
  const scores = new Float64Array(rows);
  const groups = { of: new Uint32Array(rows), listsOf: () => [] };
  const unknown = [...Array(rows).keys()].filter((item) => start[item] === start[item + 1]);
  return users.map((user) => {
    scorer(user, scores);
    for (const item of columnsOf(byUser, user)) scores[item] = NaN;
    for (const item of unknown) scores[item] = NaN;
    const best = topRows(scores, groups, ONE_LIST, k, (a, b) => a < b);
    return best.filter((row) => row > 0).map((row) => row - 1);
  });
}
