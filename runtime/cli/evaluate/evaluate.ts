/** `rivulet evaluate`: how good the lists of models are on a file of interactions, or how far predicted ratings are off. */
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
  readonly alpha: number;
  readonly json?: true;
}

export async function evaluateCommand(options: EvaluateOptions): Promise<void> {
  const { split: how } = options;
  await (how === 'prequential' ? evaluateStream(options) : evaluateSplit({ ...options, split: how }));
}

async function evaluateStream({ input, format, k, models, json, ratings }: EvaluateOptions): Promise<void> {
  if (ratings === true)
    throw usage('--ratings has no prequential split', 'give another --split, or leave --ratings out');
  mustBeKnown(models, JUDGED_MODELS, 'the prequential split');
  const events = await readEvents(input, format);
  const bar = progressBar(0, '{what}  {duration_formatted}', json === true);
  const judged = judgeStream(events, k, (what) => {
    bar.update(0, what);
  });
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
  const { input, format, ratings, k, seed, alpha } = options;
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
  const als = { ...(ratings === true ? ALS_OF_RATINGS : ALS_OF_LISTS), ...given(options), seed };
  const ofLists = (chosen.of === 'lists' ? chosen.models : undefined) ?? modelsFor(all.users, all.items);
  const bar = progressBar(0, '{what}  {duration_formatted}', options.json === true);
  const onProgress = (what: string): void => {
    bar.update(0, what);
  };
  let judged: JudgedLists | JudgedRatings;
  try {
    judged =
      chosen.of === 'ratings'
        ? judgeRatings(all, isTraining, { models: chosen.models, als, onProgress })
        : judgeLists(all, isTraining, { models: ofLists, k, als: { ...als, alpha }, onProgress });
  } finally {
    bar.end();
  }
  if (options.json === true) {
    process.stdout.write(`${JSON.stringify({ ...data, ...judged }, undefined, 2)}\n`);
    return;
  }
  const { interactions, users, items, training } = data;
  const how = options.split === 'leave-last' ? options.split : `${options.split}, ${options.share * 100} %`;
  process.stdout.write(
    `${grouped(interactions)} interactions of ${grouped(users)} users and ${grouped(items)} items; ${grouped(training)} in training (${how}; seed ${seed})\n` +
      ('unknown' in judged ? ratingsText(judged) : listsText(judged, k)),
  );
}

/** What did well on ml-latest-small, where they were chosen. */
const ALS_OF_LISTS = { rank: 32, iterations: 20, regularisation: 20 };
const ALS_OF_RATINGS = { rank: 10, iterations: 10, regularisation: 0.1 };

const given = ({ rank, iterations, regularisation }: EvaluateOptions) => ({
  ...(rank === undefined ? {} : { rank }),
  ...(iterations === undefined ? {} : { iterations }),
  ...(regularisation === undefined ? {} : { regularisation }),
});

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
