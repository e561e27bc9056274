/** The command that judges models. */
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
import { positiveNumber, wholeNumber } from '../settings.js';

export function evaluateCommands(rivulet: Command): void {
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

function share(text: string): number {
  const value = Number(text);
  if (value > 0 && value < 1) return value;
  throw new InvalidArgumentError('Give a share between 0 and 1, as in 0.75.');
}
