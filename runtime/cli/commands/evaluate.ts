/** Commands that train models and judge them. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { SOLVERS } from '../../../actors/maths/als/options.js';
import { THREADS_MAX } from '../../../actors/maths/als/training.js';
import { SIDE_MAX } from '../../../actors/maths/evaluation/ease.js';
import { MODELS } from '../../../actors/maths/evaluation/models.js';
import { RATING_MODELS } from '../../../actors/maths/evaluation/rating-models.js';
import { SPLITS } from '../../../actors/maths/evaluation/splits.js';
import { JUDGED_MODELS } from '../../../actors/ranking/running-scores.js';
import type { EvaluateOptions } from '../evaluate/evaluate.js';
import { FORMATS } from '../evaluate/interactions.js';
import type { TrainCommandOptions } from '../evaluate/train.js';
import { FACTOR_OPTIONS } from '../../training/item-factors.js';
import { instantFlag, NODE_ABOUTS, NODE_KEYS, positiveNumber, wholeNumber, withSettings } from '../settings.js';

export function evaluateCommands(rivulet: Command): void {
  train(rivulet);
  rivulet
    .command('evaluate')
    .summary('how good the lists of models are, on a file of interactions')
    .description(
      'Divides the interactions of a file into a part for training and a part for testing, and scores the lists that each model makes of the first part by\n' +
        'the second. Needs no node.',
    )
    .requiredOption('--input <path>', 'a file, or a folder of files')
    .addOption(
      new Option(
        '--format <name>',
        'movielens: a MovieLens folder, or a file of it; ratings: rows of user, item, rating and seconds; rees46: shop events; sessions: CSV with session_id, item_id and timestamp',
      )
        .choices(FORMATS)
        .makeOptionMandatory(),
    )
    .addOption(
      new Option('--split <how>', 'how it is divided; prequential: each event is predicted, then learnt from')
        .choices([...SPLITS, 'prequential'])
        .default('item-stratified'),
    )
    .addOption(new Option('--share <n>', 'share of training').argParser(share).default(0.75))
    .addOption(new Option('--k <n>', 'items per list').argParser(wholeNumber(1, 1000)).default(10))
    .option('--ratings', 'judge predicted ratings instead of lists')
    .option(
      '--models <names>',
      `by commas; of lists ${MODELS.join(', ')}; of ratings ${RATING_MODELS.join(', ')}; prequential ${JUDGED_MODELS.join(', ')} (default: all; ease and blend only for up to ${SIDE_MAX} users or items)`,
      (text: string) => text.split(',').map((name) => name.trim()),
    )
    .addOption(
      new Option('--seed <n>', 'of the split and of the factors').argParser(wholeNumber(0, 2 ** 32 - 1)).default(1),
    )
    .option('--rank <n>', 'als: numbers per vector (default: 32; of ratings 10)', wholeNumber(1, 512))
    .option('--iterations <n>', 'als (default: 20; of ratings 10)', wholeNumber(1, 1000))
    .option('--regularisation <n>', 'als: λ (default: 20; of ratings 0.1, times the number of ratings)', positiveNumber)
    .option('--alpha <n>', 'als of lists: confidence in an interaction is 1 + alpha (default: 1)', positiveNumber)
    .addOption(
      new Option(
        '--solver <name>',
        'als: of its linear systems (default: conjugate-gradient; of ratings exact)',
      ).choices(SOLVERS),
    )
    .option(
      '--threads <n>',
      'als; the result is the same (default: all cores, one for few interactions)',
      wholeNumber(1, THREADS_MAX),
    )
    .option(
      '--search',
      'als: find the rank, regularisation and alpha that are not given, and the iterations, by the latest tenth of the training part',
    )
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Each user and item counts once, however often they met. Formulas: actors/README.md.

Examples:
  rivulet evaluate --input ml-latest-small --format movielens
  rivulet evaluate --input ratings.dat --format ratings --ratings --split random --share 0.8
  rivulet evaluate --input ml-latest-small --format movielens --models als --search
  rivulet evaluate --input 2019-Oct.csv --format rees46 --split temporal --k 20
  rivulet evaluate --input 2019-Oct.csv --format rees46 --split prequential`,
    )
    .action(async (options: EvaluateOptions) => {
      const { evaluateCommand } = await import('../evaluate/evaluate.js');
      await evaluateCommand(options);
    });
}

function train(rivulet: Command): void {
  const { rank, alpha, regularisation, iterations, seed } = FACTOR_OPTIONS;
  const command = rivulet
    .command('train')
    .summary('train factors of items from the history, for the lists of a running deployment')
    .description(
      'Trains factors of items (implicit ALS) from the events of the history. All nodes then rank by them: a source and a sign of hybrid, and the lists of als\n' +
        'and als-trending. A node does it by itself every training.everyMinutes.',
    )
    .option('--from <time>', 'only events of this event time or later, as in 2026-11-01', instantFlag)
    .addOption(new Option('--rank <n>', 'numbers per vector').argParser(wholeNumber(1, 256)).default(rank))
    .addOption(
      new Option('--alpha <n>', 'how much more an event counts than none').argParser(positiveNumber).default(alpha),
    )
    .addOption(new Option('--regularisation <n>', 'λ').argParser(positiveNumber).default(regularisation))
    .addOption(new Option('--iterations <n>', 'of ALS').argParser(wholeNumber(1, 1000)).default(iterations))
    .addOption(new Option('--seed <n>', 'of the first vectors').argParser(wholeNumber(0, 2 ** 32 - 1)).default(seed))
    .option('--threads <n>', 'the result is the same (default: all cores)', wholeNumber(1, THREADS_MAX))
    .option('--json', 'print the figures as JSON')
    .action(async (options: TrainCommandOptions) => {
      const { trainCommand } = await import('../evaluate/train.js');
      await trainCommand(options);
    });
  withSettings(command, NODE_KEYS, { abouts: NODE_ABOUTS }).addHelpText(
    'after',
    '\nExamples:\n  rivulet train\n  rivulet train --from 2026-11-01 --rank 64',
  );
}

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('Give a share between 0 and 1, as in 0.75.');
}
