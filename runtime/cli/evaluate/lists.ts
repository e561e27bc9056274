/** Lists of models, judged by what users did in the test part. */
import { columnsOf, type Sparse, sparse, transposed } from '../../../actors/maths/als/sparse.js';
import { SIDE_MAX } from '../../../actors/maths/evaluation/ease.js';
import { type ListScores, listScores } from '../../../actors/maths/evaluation/list-metrics.js';
import * as models from '../../../actors/maths/evaluation/models.js';
import {
  type Estimate,
  estimateOf,
  RANKING_METRICS,
  type RankingMetric,
  rankingScores,
  type RankingScores,
} from '../../../actors/maths/evaluation/metrics.js';
import { topLists } from '../../../actors/maths/evaluation/top-lists.js';
import { usage } from '../exit.js';
import { table } from '../terminal.js';
import { entriesOf, type Interactions } from './interactions.js';
import { type TrainingOptions, trainingOf } from './progress.js';

export interface ListOptions extends TrainingOptions {
  readonly models: readonly models.ModelName[];
  /** Items per list. */
  readonly k: number;
}

export interface ModelScores extends ListScores {
  readonly model: models.ModelName;
  readonly seconds: number;
  readonly metrics: Readonly<Record<RankingMetric, Estimate>>;
}

/** Models that are for few users or few items. */
const OF_FEW: readonly models.ModelName[] = ['ease', 'blend'];

/** All models that this many users and items allow. */
export const modelsFor = (users: number, items: number): readonly models.ModelName[] =>
  models.MODELS.filter((name) => Math.min(users, items) <= SIDE_MAX || !OF_FEW.includes(name));

export interface JudgedLists {
  /** Users with items in both parts: those that lists are judged for. */
  readonly judged: number;
  readonly models: readonly ModelScores[];
}

/** An item is relevant to a user who has it in the test part; lists have no items that the user has in training. */
export function judgeLists(all: Interactions, isTraining: Uint8Array, options: ListOptions): JudgedLists {
  const { relevant, judged, ...training } = partsOf(all, isTraining);
  const scorers = scorersOf(training, options);
  const scoresOf = (name: models.ModelName): ModelScores => {
    const started = performance.now();
    options.onProgress(name);
    const scorer = scorers(name);
    options.onProgress(`lists of ${name}`);
    const lists = topLists(scorer, training, judged, options.k);
    const seconds = (performance.now() - started) / 1000;
    const each = rankingsOf(lists, relevant, judged, options.k);
    const metrics = Object.fromEntries(
      RANKING_METRICS.map((metric) => [metric, estimateOf(each.map((scores) => scores[metric]))]),
    ) as Record<RankingMetric, Estimate>;
    return { model: name, seconds, metrics, ...listScores(lists, training.byItem) };
  };
  return { judged: judged.length, models: options.models.map(scoresOf) };
}

interface Parts extends models.Training {
  /** Items of the test part, by user. */
  readonly relevant: Sparse;
  /** Users with items in both parts. */
  readonly judged: readonly number[];
}

export function partsOf(all: Interactions, isTraining: Uint8Array): Parts {
  const [byUser, relevant] = [1, 0].map((part) => sparse(entriesOf(all, isTraining, part, () => 1))) as [
    Sparse,
    Sparse,
  ];
  const judged = [...Array(all.users).keys()].filter(
    (user) => columnsOf(relevant, user).length > 0 && columnsOf(byUser, user).length > 0,
  );
  return { byUser, byItem: transposed(byUser), relevant, judged };
}

/** The scores of the list of each user. */
export const rankingsOf = (
  lists: readonly Uint32Array[],
  relevant: Sparse,
  users: readonly number[],
  k: number,
): RankingScores[] =>
  users.map((user, i) => {
    const own = new Set(columnsOf(relevant, user));
    return rankingScores(
      [...lists[i]!].map((item) => own.has(item)),
      own.size,
      k,
    );
  });

/** Each is made once, when it is first needed. */
function scorersOf(training: models.Training, options: ListOptions): (name: models.ModelName) => models.Scorer {
  const known = new Map<models.ModelName, models.Scorer>();
  const make: Record<models.ModelName, () => models.Scorer> = {
    popular: () => models.popular(training),
    'item-knn': () => models.itemKnn(training),
    als: () => models.als(training, options.als, trainingOf(options)),
    ease: () => {
      const { rows, columns } = training.byUser;
      if (Math.min(rows, columns) > SIDE_MAX) {
        throw usage(
          `${OF_FEW.join(' and ')} are for at most ${SIDE_MAX} users or ${SIDE_MAX} items: here are ${rows} and ${columns}`,
          'leave them out of --models',
        );
      }
      return models.ease(training);
    },
    blend: () =>
      models.blend(training, [
        [scorer('als'), 0.3],
        [scorer('ease'), 0.7],
      ]),
  };
  const scorer = (name: models.ModelName): models.Scorer => {
    const made = known.get(name) ?? make[name]();
    known.set(name, made);
    return made;
  };
  return scorer;
}

const HEADS: Record<RankingMetric, string> = {
  ...{ ndcg: 'nDCG', map: 'MAP', mapAtK: 'MAP@k', precision: 'precision' },
  ...{ recall: 'recall', hitRate: 'hit rate', mrr: 'MRR' },
};

export function listsText({ judged, models: all }: JudgedLists, k: number): string {
  const rows = all.map(({ model, metrics, coverage, novelty, diversity, seconds }) => [
    model,
    ...RANKING_METRICS.map((metric) => `${metrics[metric].mean.toFixed(4)} ±${metrics[metric].margin.toFixed(4)}`),
    ...[coverage, novelty, diversity].map((value) => value.toFixed(3)),
    seconds.toFixed(1),
  ]);
  const heads = ['model', ...RANKING_METRICS.map((metric) => HEADS[metric]), 'coverage', 'novelty', 'diversity', 's'];
  return `lists of ${k} for ${judged} users, without their items of the training part; ± is half of the 95 % interval\n\n${table(heads, rows)}\n`;
}
