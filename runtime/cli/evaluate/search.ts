/**
 * Rank, λ and α of als, and how many iterations: the best of a grid by a validation part, which is the latest tenth of the training part.
 *
 * A point of the grid is trained until its nDCG (of lists) or RMSE (of ratings) has got no better for three iterations. The test part is not looked at.
 */
import { alsThreads } from '../../training/als-threads.js';
import { type Factors, scoreOf, trainAls } from '../../../actors/maths/als/als.js';
import { EarlyStop } from '../../../actors/maths/als/early-stop.js';
import type { AlsOptions } from '../../../actors/maths/als/options.js';
import { scorerOf } from '../../../actors/maths/als/scores.js';
import type { Sparse } from '../../../actors/maths/als/sparse.js';
import { estimateOf, ratingScores } from '../../../actors/maths/evaluation/metrics.js';
import { split } from '../../../actors/maths/evaluation/splits.js';
import { topLists } from '../../../actors/maths/evaluation/top-lists.js';
import { usage } from '../exit.js';
import { grouped, table } from '../terminal.js';
import type { Interactions } from './interactions.js';
import { partsOf, rankingsOf } from './lists.js';
import type { TrainingOptions } from './progress.js';
import { knownOf } from './ratings.js';

const PATIENCE = 3;
const SHARE = 0.9;

export interface Grid {
  readonly rank: readonly number[];
  readonly regularisation: readonly number[];
  /** Of lists. */
  readonly alpha: readonly (number | undefined)[];
}

export interface Tried extends Pick<AlsOptions, 'rank' | 'regularisation' | 'alpha' | 'iterations'> {
  /** nDCG or RMSE. */
  readonly value: number;
}

export interface Searched {
  /** Users or ratings of the validation part that could be judged. */
  readonly judged: number;
  /** The best first. */
  readonly tried: readonly Tried[];
}

export function search(
  all: Interactions,
  isTraining: Uint8Array,
  k: number,
  grid: Grid,
  options: TrainingOptions,
): Searched {
  const { known, judged, losses } = validation(all, validationOf(all, isTraining), k, options.als.alpha !== undefined);
  const points = grid.rank.flatMap((rank) =>
    grid.regularisation.flatMap((regularisation) => grid.alpha.map((alpha) => ({ rank, regularisation, alpha }))),
  );
  const tried = points.map(({ alpha, ...point }, i): Tried => {
    const chosen = { ...point, ...(alpha === undefined ? {} : { alpha }) };
    const early = new EarlyStop<undefined>(PATIENCE);
    trainAls(
      known,
      { ...options.als, ...chosen },
      {
        team: alsThreads(options.threads),
        onIteration: (done, factors) => {
          options.onProgress(`search: ${i + 1} of ${points.length}, iteration ${done}`);
          return early.next(done, losses(factors()), () => undefined);
        },
      },
    );
    const { iteration, value } = early.best!;
    return { ...chosen, iterations: iteration, value: Math.abs(value) };
  });
  const sign = options.als.alpha === undefined ? 1 : -1;
  return { judged, tried: tried.sort((a, b) => sign * (a.value - b.value)) };
}

/** 1 for training, 0 for validation, 2 for neither. */
function validationOf(all: Interactions, isTraining: Uint8Array): Uint8Array {
  const rows = Uint32Array.from([...isTraining.keys()].filter((row) => isTraining[row] === 1));
  const [user, item] = [rows.map((row) => all.user[row]!), rows.map((row) => all.item[row]!)];
  const time = Float64Array.from(rows, (row) => all.time[row]!);
  const parts = new Uint8Array(isTraining.length).fill(2);
  split('temporal', { user, item, time }, { share: SHARE, seed: 0 }).forEach((one, i) => (parts[rows[i]!] = one));
  return parts;
}

interface Validation {
  readonly known: Sparse;
  readonly judged: number;
  /** Lower is better. */
  readonly losses: (factors: Factors) => number;
}

function validation(all: Interactions, parts: Uint8Array, k: number, ofLists: boolean): Validation {
  const nothing = () =>
    usage('--search finds nobody in the latest tenth of the training part who is known before', 'leave it out');
  if (!ofLists) {
    const { ratings, test, judged } = knownOf(all, parts);
    if (judged.length === 0) throw nothing();
    const given = judged.map((at) => test.value[at]!);
    const predicted = (factors: Factors): number[] =>
      judged.map((at) => scoreOf(factors, test.row[at]!, test.column[at]!));
    return { known: ratings, judged: judged.length, losses: (factors) => ratingScores(predicted(factors), given).rmse };
  }
  const { relevant, judged, ...training } = partsOf(all, parts);
  if (judged.length === 0) throw nothing();
  const ndcgOf = (factors: Factors): number => {
    const lists = topLists(scorerOf(factors), training, judged, k);
    return estimateOf(rankingsOf(lists, relevant, judged, k).map(({ ndcg }) => ndcg)).mean;
  };
  return { known: training.byUser, judged: judged.length, losses: (factors) => -ndcgOf(factors) };
}

const SHOWN = 5;

export function searchText({ judged, tried }: Searched, isLists: boolean): string {
  const heads = ['rank', 'regularisation', ...(isLists ? ['alpha'] : []), 'iterations', isLists ? 'nDCG' : 'RMSE'];
  const rows = tried
    .slice(0, SHOWN)
    .map(({ rank, regularisation, alpha, iterations, value }) => [
      ...[rank, regularisation, ...(alpha === undefined ? [] : [alpha]), iterations].map(String),
      value.toFixed(4),
    ]);
  const by = `${grouped(judged)} ${isLists ? 'users' : 'ratings'}`;
  return `the best of ${tried.length} for als, by ${by} in the latest tenth of the training part; it is trained as the first is\n\n${table(heads, rows)}\n\n`;
}
