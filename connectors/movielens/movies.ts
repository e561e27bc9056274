/**
 * movies: the films of a set, with all their genres.
 *
 *   u.item        id|title|date|video date|URL|a flag for each of 19 genres, in the order of u.genre      Latin-1
 *   movies.dat    id::title::genre|genre       Latin-1 (MovieLens), UTF-8 (MovieTweetings)
 *   movies.csv    movieId,title,genres, with a header; genres between |          UTF-8
 *
 * A film without genres has none.
 */
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fatal } from '../../runtime/contract/errors.js';
import { fieldsOf } from '../csv/csv-rows.js';

export interface Movie {
  readonly item: string;
  readonly title: string;
  readonly genres: readonly string[];
}

// prettier-ignore
const GENRES = ['unknown', 'Action', 'Adventure', 'Animation', "Children's", 'Comedy', 'Crime', 'Documentary', 'Drama', 'Fantasy', 'Film-Noir', 'Horror',
  'Musical', 'Mystery', 'Romance', 'Sci-Fi', 'Thriller', 'War', 'Western'];
const UNKNOWN = new Set(['', 'unknown', '(no genres listed)']);
const FIRST_FLAG = 5;

/** Sets of films are small: the largest has 3 MB. */
export async function readMovies(path: string): Promise<Movie[]> {
  const bytes = await readFile(path);
  const lines = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1').split(/\r?\n/);
  const read = basename(path) === 'u.item' ? flagged : path.endsWith('.csv') ? quoted : separated;
  return lines.flatMap((line, i) => {
    if (line.trim() === '' || (read === quoted && i === 0)) return [];
    const [item = '', title = '', genres] = read(line) ?? [];
    if (item === '' || title === '' || genres === undefined) {
      throw fatal('SOURCE_ROW', `${path}, line ${i + 1}: it is not a film: ${JSON.stringify(line.slice(0, 100))}`, {
        hint: 'a row is an id, a title and genres between |',
      });
    }
    return [{ item, title, genres: genres.split('|').filter((genre) => !UNKNOWN.has(genre)) }];
  });
}

const quoted = (line: string): readonly string[] | undefined => fieldsOf(line);
const separated = (line: string): readonly string[] => line.split('::');

function flagged(line: string): readonly string[] | undefined {
  const fields = line.split('|');
  if (fields.length !== FIRST_FLAG + GENRES.length) return undefined;
  return [fields[0]!, fields[1]!, GENRES.filter((_, i) => fields[FIRST_FLAG + i] === '1').join('|')];
}
