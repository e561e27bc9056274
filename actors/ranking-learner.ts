/**
 * ranking-learner: what goes with what, what is popular lately, and which of these signs people follow.
 *
 *   for each event (u, y, t) of a sample of users, in order:
 *     learn    if u has a history whose newest item is not y: the candidates for u as of now, and a step of the weights towards y if it is one
 *              (ranking/ranker, maths/rank/listwise-logit); of a frame some of its events, evenly spread (learntEvery)
 *     relate   y with the items that u did something with before (ranking/neighbours), and its categories with those of the newest
 *     count    y (ranking/item-signals)
 *     history  y is the newest item of u (maths/rank/latest-items)
 *
 * An impression is no event: it says what was shown (ranking/shown). Of what was shown and then chosen, the weights are learnt among that alone, and how much its
 * place in the list counted is learnt beside them.
 *
 * Beside events come the factors of items, each time they were trained (ranking/factors).
 *
 * A view: every node has it, and the ranking of an answer reads it between two inputs. So sources, weights and what a question finds are of one moment, and
 * nothing of it is sent around.
 *
 * Before it learns from an event, it judges by it what each source, and the ranking, would have listed (ranking/running-scores).
 *
 * State    an item table and, per item, what goes with it (≤ 50,000 items); the latest 20 items of the users of the sample; the weights, some kB;
 *          the factors of ≤ 10,000 items, and what ≤ 500 new ones have of their users, some MB.
 * Restart  restored with the snapshot; lists of popular items follow from the table.
 */
import { merge } from 'rxjs';
import { type Codec, input, json, keyed, readerOf, stage, tables, value } from '../runtime/contract/stage.js';
import { CONTEXTS, FIRST_WEIGHTS } from './ranking/ranker.js';
import { rankingReaderOf } from './ranking/reader.js';
import type { LatestItems } from './maths/rank/latest-items.js';
import { newWeights, type Weights } from './maths/rank/listwise-logit.js';
import { itemFactors, sampledEvents } from './model.js';
import { factorBytes, keepFactors, type StoredFactors } from './ranking/factor-table.js';
import { newItemBytes, NO_NEW_ITEMS } from './ranking/new-items.js';
import { knowledgeOf, learnRanking } from './ranking/learn.js';
import { NO_SCORES } from './ranking/running-scores.js';
import { shownState } from './ranking/shown.js';
import { itemSignals, signalsOf } from './ranking/item-signals.js';
import { neighbours } from './ranking/neighbours.js';
import { names } from './state/numbered-names.js';

/** Sixteen of a frame, one or two ms of work, which an answer may wait for; of the long frames of an import one in 32. */
const learntEvery = (rows: number): number => Math.min(32, Math.ceil(rows / 16));

/** Each event changes up to forty lists, some kB each. */
const SNAPSHOT_EVERY = 15;

/** Of the latest items of users. */
const HISTORIES_CACHED_BYTES_MAX = 4 * 1024 * 1024;

/** Values, then squares. */
const weightBytes: Codec<Weights> = {
  encode: ({ values, squares }) => new Uint8Array(Float64Array.of(...values, ...squares).buffer),
  decode: (bytes) => {
    const all = new Float64Array(new Uint8Array(bytes).buffer);
    return { values: all.slice(0, all.length / 2), squares: all.slice(all.length / 2) };
  },
};

export const rankingState = () => ({
  items: itemSignals(),
  names: tables(names, { key: ['name'], by: 'name' }),
  neighbours: neighbours(),
  users: keyed(json<LatestItems>(), { cachedBytesMax: HISTORIES_CACHED_BYTES_MAX, rescale: (same) => same }),
  weights: value(
    () => newWeights(FIRST_WEIGHTS, CONTEXTS),
    weightBytes,
    ([one]) => one!,
  ),
  scores: value(
    () => NO_SCORES,
    undefined,
    ([one]) => one!,
  ),
  ...shownState(),
  newItems: value(
    () => NO_NEW_ITEMS,
    newItemBytes,
    ([one]) => one!,
  ),
  factors: value(
    (): StoredFactors => ({}),
    factorBytes,
    ([one]) => one!,
  ),
});

const state = rankingState();

export const rankingLearner = () =>
  stage({
    id: 'ranking-learner',
    version: 1,
    key: 'whole',
    inputs: { events: input(sampledEvents), factors: input(itemFactors) },
    outputs: {},
    snapshotEvery: SNAPSHOT_EVERY,
    state,
    pipeline: ({ inputs, state }) =>
      merge(inputs.factors.pipe(keepFactors(state.factors)), inputs.events.pipe(learnRanking(state, { learntEvery }))),
  });

export const rankingReader = readerOf(state, ({ weights, scores, sums, ...sources }) =>
  rankingReaderOf(knowledgeOf(signalsOf(sources), sources), weights, scores, sums),
);
