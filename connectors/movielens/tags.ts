/**
 * tags: the most frequent tags of each film.
 *
 *   tags.csv    userId,movieId,tag,timestamp, with a header      MovieLens latest, 20M to 32M
 *   tags.dat    user::item::tag::seconds                         MovieLens 10M
 *
 *   tags(i) = the ≤ 5 tags that most rows of i have, in lower case; of as many rows the first by name
 *
 * Sentences, of more than 100 characters, are no tags.
 */
import { fatal } from '../../runtime/contract/errors.js';
import { fieldsOf, textRecords } from '../csv/csv-rows.js';

const TAGS_MAX = 5;
/** Five of them fit into an item. */
const CHARACTERS_MAX = 100;
const FIELDS = 4;
const SEPARATED = /^(.*?)::(.*?)::(.*)::(.*)$/;

/** By film. */
export async function readTags(path: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const counts = new Map<string, Map<string, number>>();
  const isCsv = path.endsWith('.csv');
  for await (const { line, text } of textRecords(path, isCsv ? 'csv' : 'jsonl')) {
    if (isCsv && line === 1) continue;
    const fields = isCsv ? fieldsOf(text) : SEPARATED.exec(text)?.slice(1);
    if (fields?.length !== FIELDS) {
      throw fatal('SOURCE_ROW', `${path}, line ${line}: it is not a tag: ${JSON.stringify(text.slice(0, 100))}`, {
        hint: 'a row is user, film, tag and time',
      });
    }
    const [, item, given] = fields as [string, string, string];
    const tag = given.toLowerCase().replace(SPACES, ' ').trim();
    if (tag === '' || tag.length > CHARACTERS_MAX) continue;
    const ofItem = counts.get(item) ?? new Map<string, number>();
    counts.set(item, ofItem);
    ofItem.set(tag, (ofItem.get(tag) ?? 0) + 1);
  }
  return new Map([...counts].map(([item, ofItem]) => [item, mostFrequent(ofItem)]));
}

/** An item may have no control characters, and `|` is between its tags. */
const SPACES = /[\s\p{Cc}|]+/gu;

const mostFrequent = (counts: ReadonlyMap<string, number>): string[] =>
  [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, TAGS_MAX)
    .map(([tag]) => tag);
