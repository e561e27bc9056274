/**
 * dataset: the files of a set of ratings, by the names that its editions give them.
 *
 *   MovieLens 100k       u.data, u.item, u.genre, u.user
 *   MovieLens 1M, 10M    ratings.dat, movies.dat, tags.dat, users.dat
 *   latest, 20M to 32M   ratings.csv, movies.csv, tags.csv, links.csv
 *   MovieTweetings       ratings.dat, movies.dat, users.dat; also ratings-100K.dat and so on
 */
import { fatal } from '../../runtime/contract/errors.js';

export interface DatasetFiles {
  readonly ratings: string;
  readonly movies: string | undefined;
  readonly tags: string | undefined;
}

const RATINGS = /^(ratings(-\w+)?\.(csv|dat)|u\.data)$/;
const MOVIES = /^(movies(-\w+)?\.(csv|dat)|u\.item)$/;
const TAGS = /^tags\.(csv|dat)$/;
const OTHERS = /^((links|users)(-\w+)?\.(csv|dat)|u\.(genre|user|occupation|info)|README(\.\w+)?|LICENSE(\.\w+)?)$/;

/** Whether a file belongs to a set; that of 100k also has its ratings in other divisions. */
export const isOfDataset = (name: string): boolean => [RATINGS, MOVIES, TAGS, OTHERS].some((known) => known.test(name));

/** `where`: for the error, Fatal SOURCE_EMPTY, when there are no ratings or several files of them. */
export function datasetFiles(names: readonly string[], where: string): DatasetFiles {
  const ratings = names.filter((name) => RATINGS.test(name));
  if (ratings.length !== 1) {
    throw fatal('SOURCE_EMPTY', `${where} has ${ratings.length === 0 ? 'no' : 'several'} files of ratings`, {
      hint: 'give the folder or zip file of one set, with ratings.csv, ratings.dat or u.data',
    });
  }
  const [movies, tags] = [MOVIES, TAGS].map((known) => names.find((name) => known.test(name)));
  return { ratings: ratings[0]!, movies, tags };
}

/**
 * How a set is called, by the path of its folder or zip file and of its ratings; no version: they do not say it.
 *
 *   ml-latest-small.zip                                                                    movielens, latest-small
 *   MovieTweetings/latest                                                                  movietweetings, latest
 *   MovieTweetings/snapshots/200K, movietweetings-200k.zip, or with ratings-200K.dat       movietweetings, 200k
 */
export function datasetName(path: string, ratings: string): { readonly name: string; readonly version?: string } {
  const folders = path.replace(/\.zip$/i, '').split(/[/\\]/);
  const [called = '', above = called] = folders.filter((one) => one !== '' && one !== 'snapshots').reverse();
  const [, ofMovieLens] = /^(?:ml|movielens)[-_]?(.+)$/i.exec(called) ?? [];
  if (ofMovieLens !== undefined) return { name: 'movielens', version: ofMovieLens };
  const [isSnapshot, before, snapshot] = /^(?:(.+)[-_])?(latest|\d+k)$/i.exec(called) ?? [];
  const name = (isSnapshot === undefined ? called : (before ?? above)).replace(/-(master|main)$/, '').toLowerCase();
  const version = (snapshot ?? /^ratings-(\w+)\./.exec(ratings)?.[1])?.toLowerCase();
  return version === undefined ? { name } : { name, version };
}
