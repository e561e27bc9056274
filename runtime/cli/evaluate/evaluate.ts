/** `rivulet evaluate`: how good the lists of models are on a file of interactions, or how far predicted ratings are off. */
import { availableParallelism } from 'node:os';
import type { AlsOptions, Solver } from '../../../actors/maths/als/options.js';
import { type ModelName, MODELS } from '../../../actors/maths/evaluation/models.js';
import { RATING_MODELS, type RatingModelName } from '../../../actors/maths/evaluation/rating-models.js';
import { type Split, split } from '../../../actors/maths/evaluation/splits.js';
import { usage } from '../exit.js';
import { progressBar } from '../progress.js';
import { grouped } from '../terminal.js';
import { type Format, readEvents, readInteractions } from './interactions.js';
import { type JudgedLists, judgeLists, listsText, modelsFor } from './lists.js';
import { JUDGED_MODELS } from '../../../actors/ranking/running-scores.js';
import { judgeStream, streamText } from './prequential.js';
import { type JudgedRatings, judgeRatings, ratingsText } from './ratings.js';
import { type Grid, search, searchText, type Searched } from './search.js';

export interface EvaluateOptions {
  readonly input: string;
  readonly format: Format;
  /** Predicted ratings instead of lists. */
  readonly ratings?: true;
  readonly split: Split | 'prequential';
  /** Of training. */
  readonly share: number;
  readonly k: number;
  readonly models?: readonly string[];
  readonly seed: number;
  readonly rank?: number;
  readonly iterations?: number;
  readonly regularisation?: number;
  /** Default: 1. */
  readonly alpha?: number;
  readonly solver?: Solver;
  readonly threads?: number;
  /** For rank, regularisation and alpha that are not given. */
  readonly search?: true;
  readonly json?: true;
}

export async function evaluateCommand(options: EvaluateOptions): Promise<void> {
  const { split: how } = options;
  await (how === 'prequential' ? evaluateStream(options) : evaluateSplit({ ...options, split: how }));
}

async function evaluateStream({ input, format, k, models, json, ratings, threads }: EvaluateOptions): Promise<void> {
  if (ratings === true)
    throw usage('--ratings has no prequential split', 'give another --split, or leave --ratings out');
  mustBeKnown(models, JUDGED_MODELS, 'the prequential split');
  const events = await readEvents(input, format);
  const bar = progressBar(0, '{what}  {duration_formatted}', json === true);
  const onProgress = (what: string): void => {
    bar.update(0, what);
  };
  const judged = judgeStream(events, k, onProgress, threads);
  bar.end();
  const chosen = {
    ...judged,
    models: judged.models.filter(({ model }) => models === undefined || models.includes(model)),
  };
  process.stdout.write(
    json === true
      ? `${JSON.stringify({ events: events.length, ...chosen }, undefined, 2)}\n`
      : `${grouped(events.length)} events\n${streamText(chosen, k)}`,
  );
}

async function evaluateSplit(options: EvaluateOptions & { readonly split: Split }): Promise<void> {
  const { input, format, ratings, k } = options;
  const chosen = chosenModels(options);
  const all = await readInteractions(input, format);
  if (ratings === true && all.rating.some(Number.isNaN)) {
    throw usage(`--ratings needs ratings, and ${format} has none`, 'give --format movielens or ratings');
  }
  const isTraining = split(options.split, all, options);
  const data = {
    ...{ interactions: all.user.length, users: all.users, items: all.items },
    training: isTraining.reduce((sum, one) => sum + one, 0),
  };
  const ofLists = (chosen.of === 'lists' ? chosen.models : undefined) ?? modelsFor(all.users, all.items);
  const judgedModels: readonly string[] = chosen.of === 'lists' ? ofLists : chosen.models;
  if (options.search === true && !judgedModels.includes('als') && !judgedModels.includes('blend')) {
    throw usage('--search is for als and blend', 'name one of them in --models');
  }
  const bar = progressBar(0, '{what}  {duration_formatted}', options.json === true);
  const onProgress = (what: string): void => {
    bar.update(0, what);
  };
  const threads = options.threads ?? (all.user.length < FEW ? 1 : availableParallelism());
  let searched: Searched | undefined;
  let judged: JudgedLists | JudgedRatings;
  try {
    let als = alsOptions(options);
    if (options.search === true) {
      searched = search(all, isTraining, k, gridOf(options), { als, threads, onProgress });
      const { value: _, ...best } = searched.tried[0]!;
      als = { ...als, ...best };
    }
    const how = { als, threads, onProgress };
    judged =
      chosen.of === 'ratings'
        ? judgeRatings(all, isTraining, { models: chosen.models, ...how })
        : judgeLists(all, isTraining, { models: ofLists, k, ...how });
  } finally {
    bar.end();
  }
  if (options.json === true) {
    process.stdout.write(
      `${JSON.stringify({ ...data, ...(searched === undefined ? {} : { search: searched }), ...judged }, undefined, 2)}\n`,
    );
    return;
  }
  const { interactions, users, items, training } = data;
  const how = options.split === 'leave-last' ? options.split : `${options.split}, ${options.share * 100} %`;
  process.stdout.write(
    `${grouped(interactions)} interactions of ${grouped(users)} users and ${grouped(items)} items; ${grouped(training)} in training (${how}; seed ${options.seed})\n` +
      (searched === undefined ? '' : searchText(searched, ratings !== true)) +
      ('unknown' in judged ? ratingsText(judged) : listsText(judged, k)),
  );
}

/** Threads take longer to start than this many interactions to train on. */
const FEW = 200_000;

/** What did well on ml-latest-small, where they were chosen. */
const ALS_OF_LISTS = { rank: 32, iterations: 20, regularisation: 20, alpha: 1, solver: 'conjugate-gradient' } as const;
const ALS_OF_RATINGS = { rank: 10, iterations: 10, regularisation: 0.1, solver: 'exact' } as const;

function alsOptions({ ratings, seed, ...options }: EvaluateOptions): AlsOptions {
  const { rank, iterations, regularisation, solver } = {
    ...(ratings === true ? ALS_OF_RATINGS : ALS_OF_LISTS),
    ...options,
  };
  const alpha = ratings === true ? {} : { alpha: options.alpha ?? ALS_OF_LISTS.alpha };
  return { rank, iterations, regularisation, solver, seed, ...alpha };
}

function gridOf({ ratings, rank, regularisation, alpha }: EvaluateOptions): Grid {
  const grid = ratings === true ? GRID_OF_RATINGS : GRID_OF_LISTS;
  return {
    rank: rank === undefined ? grid.rank : [rank],
    regularisation: regularisation === undefined ? grid.regularisation : [regularisation],
    alpha: alpha === undefined || ratings === true ? grid.alpha : [alpha],
  };
}

const GRID_OF_LISTS: Grid = { rank: [16, 32, 64], regularisation: [5, 20, 80], alpha: [1, 4, 16] };
const GRID_OF_RATINGS: Grid = { rank: [5, 10, 20], regularisation: [0.05, 0.1, 0.2], alpha: [undefined] };

type Chosen =
  | { readonly of: 'lists'; readonly models: readonly ModelName[] | undefined }
  | { readonly of: 'ratings'; readonly models: readonly RatingModelName[] };

function chosenModels({ ratings, models }: EvaluateOptions): Chosen {
  const known: readonly string[] = ratings === true ? RATING_MODELS : MODELS;
  mustBeKnown(models, known, ratings === true ? 'ratings' : 'lists');
  return ratings === true
    ? { of: 'ratings', models: (models ?? RATING_MODELS) as readonly RatingModelName[] }
    : { of: 'lists', models: models as readonly ModelName[] | undefined };
}

function mustBeKnown(models: readonly string[] | undefined, known: readonly string[], of: string): void {
  const unknown = models?.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw usage(`--models: there is no model ${JSON.stringify(unknown)} of ${of}`, `give some of ${known.join(', ')}`);
}
