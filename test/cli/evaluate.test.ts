/** `rivulet evaluate` as people run it, on files of theirs. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { JudgedStream } from '../../runtime/cli/evaluate/prequential.js';
import type { JudgedLists } from '../../runtime/cli/evaluate/lists.js';
import type { JudgedRatings } from '../../runtime/cli/evaluate/ratings.js';
import type { Searched } from '../../runtime/cli/evaluate/search.js';
import { type Missing, skipped } from '../support/requirements.js';
import { runCli, workingDirectory } from './run-cli.js';

const MOVIELENS = resolve(import.meta.dirname, '../../../shared/data/ml-latest-small');
const noMovieLens: Missing = existsSync(MOVIELENS) ? undefined : '../shared/data is not there';

const { cwd, remove } = workingDirectory();
afterAll(remove);

/** Two groups of users, each with films of its own: 12 of 16, and which differs. A rating is the taste of its user, who gives 2 to 4, and half a point for every fifth film. */
const RATINGS = Array.from({ length: 40 }, (_, user) =>
  Array.from({ length: 12 }, (__, n) => {
    const film = (user % 2) * 100 + ((user * 5 + n) % 16);
    return { user, film, rating: 2 + (user % 3) + (film % 5 === 0 ? 0.5 : 0), seconds: 1_000_000 + user + n * 86_400 };
  }),
).flat();

function write(name: string, header: string, row: (of: (typeof RATINGS)[number]) => string): string {
  writeFileSync(join(cwd, name), [header, ...RATINGS.map(row)].filter((line) => line !== '').join('\n'));
  return name;
}

async function evaluated<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await runCli(cwd, ['evaluate', '--json', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as T;
}

const asRatings = () => write('ratings.dat', '', (of) => `${of.user}::${of.film}::${of.rating}::${of.seconds}`);
const nDcg = ({ models }: JudgedLists) =>
  Object.fromEntries(models.map(({ model, metrics }) => [model, metrics.ndcg.mean]));

describe('rivulet evaluate', () => {
  it('ranks models that know of tastes above popularity', async () => {
    const scores = await evaluated<JudgedLists>(
      '--input',
      asRatings(),
      '--format',
      'ratings',
      '--rank',
      '4',
      '--k',
      '4',
    );
    expect(scores).toMatchObject({ interactions: 480, users: 40, items: 32, training: 356 });
    expect(scores.judged).toBeGreaterThan(30);
    const { popular, ...others } = nDcg(scores);
    expect(Object.keys(others)).toEqual(['item-knn', 'als', 'ease', 'blend']);
    for (const score of Object.values(others)) expect(score).toBeGreaterThan(popular!);
  });

  it('reads the same interactions from every format', async () => {
    mkdirSync(join(cwd, 'shop'));
    const date = (seconds: number): string =>
      new Date(seconds * 1000).toISOString().replace('T', ' ').replace('.000Z', ' UTC');
    const files = [
      ['ratings', asRatings()],
      [
        'movielens',
        write(
          'ratings.csv',
          'userId,movieId,rating,timestamp',
          (of) => `${of.user},${of.film},${of.rating},${of.seconds}`,
        ),
      ],
      [
        'rees46',
        write(
          'shop.csv',
          'event_time,event_type,product_id,user_id',
          (of) => `${date(of.seconds)},view,${of.film},${of.user}`,
        ),
      ],
      [
        'sessions',
        write('sessions.csv', 'session_id,item_id,timestamp', (of) => `${of.user},${of.film},${of.seconds}`),
      ],
    ] as const;
    const scores = await Promise.all(
      files.map(([format, input]) =>
        evaluated<JudgedLists>(
          '--input',
          input,
          '--format',
          format,
          '--models',
          'popular,item-knn',
          '--split',
          'temporal',
        ),
      ),
    );
    const [first, ...others] = scores.map(nDcg);
    for (const other of others) expect(other).toEqual(first);
  });

  it('finds the same by any number of threads', async () => {
    const args = ['--input', asRatings(), '--format', 'ratings', '--models', 'als', '--threads'];
    const [one, three] = await Promise.all(['1', '3'].map((threads) => evaluated<JudgedLists>(...args, threads)));
    expect(nDcg(three!)).toEqual(nDcg(one!));
  });

  it.each([
    ['lists', [], { alpha: 2 }],
    ['ratings', ['--ratings'], {}],
  ])('searches for options of als of %s that are not given', async (_, more, alpha) => {
    const args = ['--input', asRatings(), '--format', 'ratings', '--models', 'als', '--rank', '3', ...more];
    const { search } = await evaluated<{ search: Searched }>(
      ...[...args, '--split', 'random', '--iterations', '5', '--search'],
      ...Object.entries(alpha).flatMap(([name, value]) => [`--${name}`, String(value)]),
    );
    expect(search.tried).toHaveLength(3);
    expect(new Set(search.tried.map(({ regularisation }) => regularisation)).size).toBe(3);
    for (const one of search.tried) expect(one).toMatchObject({ rank: 3, ...alpha });
    const values = search.tried.map(({ value }) => (more.length === 0 ? -value : value));
    expect(values).toEqual([...values].sort((a, b) => a - b));
  });

  it('predicts ratings', async () => {
    const scores = await evaluated<JudgedRatings>(
      ...['--input', asRatings(), '--format', 'ratings', '--ratings'],
      ...['--split', 'random', '--rank', '2'],
    );
    expect(scores.judged + scores.unknown).toBe(120);
    const errors = Object.fromEntries(scores.models.map(({ model, rmse }) => [model, rmse]));
    // Ratings deviate by 0.85, nearly all of which follows from users and items.
    expect(Object.keys(errors)).toEqual(['bias', 'user-knn', 'item-knn', 'svd', 'als']);
    for (const error of Object.values(errors)) expect(error).toBeLessThan(0.6);
  });

  it('predicts each event before it learns from it, with what is seen together above what is popular', async () => {
    const stream = await evaluated<JudgedStream & { readonly events: number }>(
      ...['--input', asRatings(), '--format', 'ratings', '--split', 'prequential', '--k', '4'],
    );
    expect(stream.events).toBe(480);
    // The first fifth teaches only, and the first event of each user has nothing to be predicted from.
    expect(stream.judged).toBeGreaterThan(300);
    const {
      popular,
      'co-visitation': together,
      hybrid,
    } = Object.fromEntries(stream.models.map(({ model, hitRate }) => [model, hitRate.mean]));
    expect(together).toBeGreaterThan(popular!);
    expect(hybrid).toBeGreaterThan(popular!);
  });

  it('prints a table of the stream, of the models asked for', async () => {
    const args = [
      '--input',
      asRatings(),
      '--format',
      'ratings',
      '--split',
      'prequential',
      '--models',
      'popular,hybrid',
    ];
    const { stdout } = await runCli(cwd, ['evaluate', ...args]);
    expect(stdout).toMatch(/^model +hit rate@10 +MRR$/m);
    expect(stdout.match(/^(popular|hybrid) +0\.\d{4} ±0\.\d{4} /gm)).toHaveLength(2);
  });

  it('prints a table for people', async () => {
    const { stdout } = await runCli(cwd, [
      'evaluate',
      '--input',
      asRatings(),
      '--format',
      'ratings',
      '--models',
      'popular',
    ]);
    expect(stdout).toContain('480 interactions of 40 users and 32 items');
    expect(stdout).toMatch(
      /^model +nDCG +MAP +MAP@k +precision +recall +hit rate +MRR +coverage +novelty +diversity +s$/m,
    );
    expect(stdout).toMatch(/^popular +0\.\d{4} ±0\.\d{4} /m);
  });

  it.each([
    ['an unknown model', ['--models', 'popular,magic'], 'there is no model "magic" of lists'],
    ['a model of lists for ratings', ['--ratings', '--models', 'ease'], 'there is no model "ease" of ratings'],
    [
      'a model of lists for a stream',
      ['--split', 'prequential', '--models', 'ease'],
      'no model "ease" of the prequential split',
    ],
    ['ratings of a stream', ['--split', 'prequential', '--ratings'], '--ratings has no prequential split'],
    ['a share that is none', ['--share', '1'], 'Give a share between 0 and 1'],
  ])('refuses %s', async (_, args, message) => {
    const { code, stderr } = await runCli(cwd, ['evaluate', '--input', asRatings(), '--format', 'ratings', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  it('refuses a file without ratings, and a row without a time, by name', async () => {
    const shop = write(
      'none.csv',
      'event_time,product_id,user_id',
      (of) => `2019-10-01 00:00:00 UTC,${of.film},${of.user}`,
    );
    expect((await runCli(cwd, ['evaluate', '--input', shop, '--format', 'rees46', '--ratings'])).stderr).toContain(
      'rees46 has none',
    );
    writeFileSync(join(cwd, 'bad.csv'), 'session_id,item_id,timestamp\na,1,5\nb,2,\n');
    const { code, stderr } = await runCli(cwd, ['evaluate', '--input', 'bad.csv', '--format', 'sessions']);
    expect(code).toBe(2);
    expect(stderr).toContain('bad.csv, line 3: it has no event_time or timestamp');
  });
});

describe.skipIf(noMovieLens)(`ml-latest-small${skipped(noMovieLens)}`, () => {
  it('has the scores of its protocol: 75 % of each item, lists of 10', async () => {
    const scores = await evaluated<JudgedLists>('--input', MOVIELENS, '--format', 'movielens');
    const { popular, 'item-knn': knn, als, ease, blend } = nDcg(scores);
    // Of numpy and the implicit package: 0.219, 0.299 (with all neighbours), 0.376; they vary by a hundredth with the split.
    expect(popular).toBeCloseTo(0.219, 1.7);
    expect(knn).toBeCloseTo(0.299, 1.7);
    expect(als).toBeGreaterThanOrEqual(0.375);
    for (const best of [ease, blend]) expect(best).toBeGreaterThanOrEqual(0.39);
  });

  it('has the error of Spark MLlib in predicted ratings, within 1 %', async () => {
    const args = ['--input', MOVIELENS, '--format', 'movielens', '--ratings', '--split', 'random', '--share', '0.8'];
    const { models } = await evaluated<JudgedRatings>(...args);
    const rmseOf = (name: string): number => models.find(({ model }) => model === name)!.rmse;
    expect(rmseOf('als')).toBeLessThan(0.881 * 1.01);
    // The formula in numpy has 0.831, with another split.
    expect(rmseOf('item-knn')).toBeCloseTo(0.831, 1.7);
    for (const one of ['svd', 'user-knn']) expect(rmseOf(one)).toBeLessThan(rmseOf('bias'));
  });
});
