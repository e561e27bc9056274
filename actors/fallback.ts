/**
 * fallback: fills empty lists.
 *
 *   list(u) = list(u)                     unless it is empty
 *   list(u) = the first n of top          score 0.1, ranks from 1, the items' own categories      n = 10
 *
 *   top  the most popular items over all categories
 *
 * Lists that are not empty pass unchanged. While no item is popular yet, the row of an empty list passes too, so that the user is known.
 *
 * State    the latest list over all categories from each popularity instance (≤ 100 items each).
 * Restart  restored with the snapshot; lists that arrived since are replayed from the mailbox.
 */
import { map, merge } from 'rxjs';
import { input, keyed, sideInput, stage } from '../runtime/contract/stage.js';
import { listsOfCategory, splitAnew } from './maths/top-list.js';
import { FALLBACK_SCORE, ranked, topLists } from './model.js';
import { fillEmpty } from './operators/fill-empty.js';
import { ALL, rememberLists } from './operators/remember-lists.js';

export interface FallbackOptions {
  /** Items of a user without a list, 1 to 100. */
  readonly listSize?: number;
  readonly score?: number;
}

export const fallback = ({ listSize = 10, score = FALLBACK_SCORE }: FallbackOptions = {}) =>
  stage({
    id: 'fallback',
    version: 1,
    key: 'user',
    inputs: { lists: sideInput(topLists), ranked: input(ranked) },
    outputs: { rows: ranked },
    state: { lists: keyed(listsOfCategory, { rescale: splitAnew }) },
    pipeline: ({ inputs, state, out }) =>
      merge(
        inputs.lists.pipe(rememberLists(state.lists, (category) => category === ALL)),
        inputs.ranked.pipe(
          fillEmpty(state.lists, listSize, score),
          map((rows) => out.rows(rows)),
        ),
      ),
  });
