/**
 * interest-ranking: the categories that a user is most interested in, and the user's interactions with each item.
 *
 *   I(u, c) = Σ 1/k over the window rows of u with main category c in this epoch     scope epoch
 *   I(u, c) = Σ w(type) · added / k · 2^(−(t − time) / h)                            scope decayed
 *   top(u)  = the first k categories by I desc, then c asc                           k = 3; only I > 0
 *   n(u, i) = rows of u with item i, and those of type view, cart, purchase          of this epoch; with totals: so far
 *
 *   k  the number of main categories of a row, usually 1
 *   w  weight of an event type    h  half-life, ms    t  latest event time of u    added, time  of the window row
 *
 * At the end of an epoch each user with rows in it gets a ranking, in order of first appearance; rows without a category add to no interest, but their
 * user gets a ranking too. Rows of the past count in the same way; their users wait, and are ranked in portions (operators/past-is-due).
 *
 * State    of the running epoch, and of the past that waits, a row per (user, main category) and per (user, item), dropped at the end; decayed also per user the
 *          interests (≤ 64 categories), with totals those of ≤ 1,000 items.
 * Restart  restored with the snapshot, in the middle of an epoch too: tables keep the order of first appearance.
 */
import { map, merge, mergeMap } from 'rxjs';
import { input, keyed, stage, value } from '../runtime/contract/stage.js';
import { interactionTotals } from './maths/interaction-totals.js';
import type { InterestScope } from './maths/interest-scope.js';
import { interactions, interests, windowRows } from './model.js';
import { NONE_WAITING, pastIsDue, type WaitingPast } from './operators/past-is-due.js';
import { rankUsers } from './operators/rank-users.js';
import { upsertInterests } from './operators/upsert-interests.js';
import { epochInterests, epochPairs, ofPast, portionsIn, RUNNING } from './state/epoch-interests.js';
import { storedInterests } from './state/stored-interests.js';

/** Of an instance. A user's are read and written once for an event; as objects they take three times the memory. */
const INTERESTS_CACHED_BYTES_MAX = 1024 * 1024;

export interface InterestRankingOptions {
  readonly scope: InterestScope;
  /** Whether interactions are reported so far, rather than of the epoch. */
  readonly totals?: boolean;
  /** Categories per user, 1 to 255. */
  readonly topCategories?: number;
}

/** After a repartition each partition may have users from all, whoever's turn it was there. */
const anyWaiting = (all: readonly WaitingPast[]): WaitingPast => ({
  ...NONE_WAITING,
  more: all.some(({ more }) => more),
});

export const interestRanking = ({ scope, totals = false, topCategories = 3 }: InterestRankingOptions) =>
  stage({
    id: 'interest-ranking',
    version: 1,
    key: 'user',
    inputs: { rows: input(windowRows), past: input(windowRows) },
    outputs: { interests, interactions },
    state: {
      interests: epochInterests(),
      pairs: epochPairs(),
      waiting: value(() => NONE_WAITING, undefined, anyWaiting),
      users: keyed(storedInterests, { rescale: 'byKey', cachedBytesMax: INTERESTS_CACHED_BYTES_MAX }),
      totals: keyed(interactionTotals, { rescale: 'byKey' }),
    },
    holdsBack: ({ interests }) => portionsIn(interests).length > 0,
    pipeline: ({ inputs, epochEnds, ticks, state, out }) =>
      merge(
        inputs.rows.pipe(upsertInterests(state, scope)),
        inputs.past.pipe(upsertInterests(state, scope, ofPast)),
        merge(epochEnds.pipe(map(() => RUNNING)), pastIsDue(state, inputs.past, ticks)).pipe(
          rankUsers(state, { scope, totals, topCategories }),
          mergeMap(({ rankings, pairs }) => [
            ...rankings.map((frame) => out.interests(frame)),
            out.interactions(pairs),
          ]),
        ),
      ),
  });
