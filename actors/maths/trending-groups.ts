/** trending-groups: the rows of trending instances as lists, and the keys of lists. */
import { ABSENT, type FrameOf, textAt } from '../../runtime/contract/stage.js';
import {
  TRENDING_RANKINGS,
  type TrendingRanking,
  TRENDING_WINDOWS,
  type TrendingWindow,
  type trendingTops,
} from '../model.js';
import type { InstanceList, TrendingEntry } from './trending-list.js';

type Tops = FrameOf<typeof trendingTops>;

/** Key of the list over all categories. */
export const EVERY_CATEGORY = '';

export const keyOf = (window: TrendingWindow, ranking: TrendingRanking, category: string): string =>
  `${window}/${ranking}/${category}`;

export interface TrendingGroup extends InstanceList {
  readonly window: TrendingWindow;
  readonly category: string;
}

/** The lists of a frame; a list is never split between frames. */
export function groupsOf({ rows, columns }: Tops): TrendingGroup[] {
  const { window, ranking, start, asOf, category, origin, item, itemCategory, views, clicks, value, score, before } =
    columns;
  const groups: (TrendingGroup & { readonly list: TrendingEntry[] })[] = [];
  for (let row = 0; row < rows; row++) {
    const last = row - 1;
    const isNew =
      row === 0 ||
      window[row] !== window[last] ||
      ranking[row] !== ranking[last] ||
      start[row] !== start[last] ||
      category.codes[row] !== category.codes[last] ||
      origin[row] !== origin[last];
    if (isNew) {
      groups.push({
        window: TRENDING_WINDOWS[window[row]!]!,
        ranking: TRENDING_RANKINGS[ranking[row]!]!,
        category: textAt(category.dictionary, category.codes[row]!) ?? EVERY_CATEGORY,
        startMs: start[row]!,
        asOfMs: asOf[row]!,
        origin: origin[row]!,
        list: [],
      });
    }
    if (item.codes[row] === ABSENT) continue;
    groups.at(-1)!.list.push({
      item: textAt(item.dictionary, item.codes[row]!)!,
      value: value[row]!,
      views: views[row]!,
      clicks: clicks[row]!,
      category: textAt(itemCategory.dictionary, itemCategory.codes[row]!) ?? '',
      score: score[row]!,
      before: before[row]!,
    });
  }
  return groups;
}
