/** Predicted ratings, judged by those of the test part. */
import { columnsOf, type Entries, type Sparse, sparse, transposed } from '../../../actors/maths/als/sparse.js';
import { type RatingScores, ratingScores } from '../../../actors/maths/evaluation/metrics.js';
import * as models from '../../../actors/maths/evaluation/rating-models.js';
import { grouped, table } from '../terminal.js';
import { entriesOf, type Interactions } from './interactions.js';
import { type TrainingOptions, trainingOf } from './progress.js';

export interface RatingOptions extends TrainingOptions {
  readonly models: readonly models.RatingModelName[];
}

export interface JudgedRatings {
  readonly judged: number;
  /** Ratings of the test part by users, or of items, without any in training: no model can predict them. */
  readonly unknown: number;
  readonly models: readonly (RatingScores & { readonly model: models.RatingModelName; readonly seconds: number })[];
}

export function judgeRatings(all: Interactions, isTraining: Uint8Array, options: RatingOptions): JudgedRatings {
  const { ratings, test, judged } = knownOf(all, isTraining);
  const { row: user, column: item, value } = test;
  const make: Record<models.RatingModelName, () => models.Predictor> = {
    bias: () => models.bias(ratings),
    'user-knn': () => models.userKnn(ratings),
    'item-knn': () => models.itemKnn(ratings),
    svd: () => models.svd(ratings, options.als.seed),
    als: () => models.als(ratings, options.als, trainingOf(options)),
  };
  return {
    ...{ judged: judged.length, unknown: value.length - judged.length },
    models: options.models.map((model) => {
      const started = performance.now();
      options.onProgress(model);
      const predict = make[model]();
      const by = model === 'item-knn' ? item : user;
      const order = judged.toSorted((a, b) => by[a]! - by[b]!);
      const scores = ratingScores(
        order.map((at) => predict(user[at]!, item[at]!)),
        order.map((at) => value[at]!),
      );
      return { model, ...scores, seconds: (performance.now() - started) / 1000 };
    }),
  };
}

interface Known {
  readonly ratings: Sparse;
  readonly test: Entries;
  /** The ratings of the test part that can be predicted. */
  readonly judged: readonly number[];
}

export function knownOf(all: Interactions, isTraining: Uint8Array): Known {
  const [training, test] = [1, 0].map((part) => entriesOf(all, isTraining, part, (row) => all.rating[row]!));
  const ratings = sparse(training!);
  const byItem = transposed(ratings);
  const { row: user, column: item } = test!;
  const judged = [...Array(user.length).keys()].filter(
    (at) => columnsOf(ratings, user[at]!).length > 0 && columnsOf(byItem, item[at]!).length > 0,
  );
  return { ratings, test: test!, judged };
}

export function ratingsText({ judged, unknown, models: all }: JudgedRatings): string {
  const rows = all.map(({ model, rmse, mae, seconds }) => [model, rmse.toFixed(4), mae.toFixed(4), seconds.toFixed(1)]);
  const left = unknown === 0 ? '' : `; ${grouped(unknown)} more are of users or items without ratings in training`;
  return `${grouped(judged)} predicted ratings${left}\n\n${table(['model', 'RMSE', 'MAE', 's'], rows)}\n`;
}
