/**
 * popularity-join: the popular items of a user's interests.
 *
 *   score(u, i) = I(u, c) · N(i) / 100      i in top(c), c in the top categories of u
 *   list(u)     = the first n of these i by score desc, then i asc (item-order)       n = 10; ranks from 1
 *
 *   I  category interest of u (count, or decayed)     N  popularity of i     c  main category
 *
 * An item that is in several of the lists is in list(u) once, with the best of its scores.
 *
 * A category's list is sorted by N, and so by score: u's list is a merge of at most three sorted lists, O(3 · n). (Counts below 2^50 and
 * interests above 1e-9 ensure that two unequal counts do not round to one score.) A user without a category with popular items gets a row without an
 * item.
 *
 * State    the latest top list of each category from each popularity instance (≤ 100 items each).
 * Restart  restored with the snapshot; lists that arrived since are replayed from the mailbox.
 */
import { map, merge } from 'rxjs';
import { input, keyed, sideInput, stage } from '../runtime/contract/stage.js';
import { listsOfCategory, splitAnew } from './maths/top-list.js';
import { interests, ranked, topLists } from './model.js';
import { joinTop } from './operators/join-top.js';
import { ALL, rememberLists } from './operators/remember-lists.js';

export interface PopularityJoinOptions {
  /** Items per user, 1 to 100. */
  readonly listSize?: number;
}

export const popularityJoin = ({ listSize = 10 }: PopularityJoinOptions = {}) =>
  stage({
    id: 'popularity-join',
    version: 1,
    key: 'user',
    inputs: { lists: sideInput(topLists), interests: input(interests) },
    outputs: { rows: ranked },
    state: { lists: keyed(listsOfCategory, { rescale: splitAnew }) },
    pipeline: ({ inputs, state, out }) =>
      merge(
        inputs.lists.pipe(rememberLists(state.lists, (category) => category !== ALL)),
        inputs.interests.pipe(
          joinTop(state.lists, listSize),
          map((rows) => out.rows(rows)),
        ),
      ),
  });
