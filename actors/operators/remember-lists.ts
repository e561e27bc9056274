/**
 * rememberLists(state, keeps): stores top lists in a state, the latest of each (category, origin); emits nothing.
 *
 *   lists    --a--b--|      a: electronics of origin 0 is [1, 2]    b: electronics of origin 1 is [9]
 *   result   --------|      the state then holds electronics → [1, 2] of 0 and [9] of 1
 *
 * Law: the state depends on the last list of each (category, origin) alone, not on how lists are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { ABSENT, type FrameOf, type Keyed, textAt } from '../../runtime/contract/stage.js';
import type { ListsOfCategory, TopList } from '../maths/top-list.js';
import type { topLists } from '../model.js';

type TopLists = FrameOf<typeof topLists>;

/** Key of the list over all categories. */
export const ALL = '';

export const rememberLists =
  (state: Keyed<ListsOfCategory>, keeps: (category: string) => boolean = () => true) =>
  (lists: Observable<TopLists>): Observable<never> =>
    lists.pipe(
      tap((frame) => {
        remember(frame, state, keeps);
      }),
      ignoreElements(),
    );

function remember(frame: TopLists, state: Keyed<ListsOfCategory>, keeps: (category: string) => boolean): void {
  const { category, origin } = frame.columns;
  for (let start = 0, end = 0; start < frame.rows; start = end) {
    const code = category.codes[start]!;
    const from = origin[start]!;
    while (end < frame.rows && category.codes[end] === code && origin[end] === from) end++;
    const key = textAt(category.dictionary, code) ?? ALL;
    if (!keeps(key)) continue;
    const others = (state.get(key) ?? []).filter((list) => list.origin !== from);
    const list = listOf(frame, from, start, end);
    state.set(key, list.items.length === 0 ? others : [...others, list].sort((a, b) => a.origin - b.origin));
  }
}

/** Rows [start, end) as a list; none has an absent item. */
function listOf(
  { columns: { item, popularity, itemCategory, brand, price } }: TopLists,
  origin: number,
  start: number,
  end: number,
): TopList {
  const items: string[] = [];
  const counts: number[] = [];
  const categories: string[] = [];
  const brands: string[] = [];
  const prices: (number | null)[] = [];
  for (let row = start; row < end; row++) {
    if (item.codes[row] === ABSENT) continue;
    items.push(textAt(item.dictionary, item.codes[row]!)!);
    counts.push(popularity[row]!);
    categories.push(textAt(itemCategory.dictionary, itemCategory.codes[row]!) ?? '');
    brands.push(textAt(brand.dictionary, brand.codes[row]!) ?? '');
    prices.push(Number.isNaN(price[row]) ? null : price[row]!);
  }
  return { origin, items, popularity: counts, categories, brands, prices };
}
