/**
 * fallback: nobody goes away empty-handed.
 *
 *   list(u) = list(u)                     unless it is empty
 *   list(u) = the first n of top          score 0.1, ranks from 1, the items' own categories      n = 10
 *
 *   top  the most purchased items over all categories
 *
 * Lists that are not empty pass as they came. While no item is popular yet, the row of an empty list passes too, so that the user is known.
 *
 * State    the latest list over all categories from each popularity instance (≤ 100 items each).
 * Restart  restored with the snapshot; lists that arrived since are replayed from the mailbox.
 */
import { merge, mergeMap } from 'rxjs';
import { ABSENT, CodeMap, type FrameOf, input, keyed, sideInput, stage } from '../runtime/stage.js';
import { FrameChunks } from './maths/frame-chunks.js';
import { listsOfCategory, type MergedList, mergedOnce } from './maths/top-list.js';
import { FALLBACK_SCORE, ranked, STREAMING_POPULAR_FALLBACK, topLists } from './model.js';
import { ALL, rememberLists } from './operators/remember-lists.js';

type Ranked = FrameOf<typeof ranked>;

export interface FallbackOptions {
  /** Items of a user without a list, 1 to 100. */
  readonly listSize?: number;
  readonly score?: number;
}

export const fallback = ({ listSize = 10, score = FALLBACK_SCORE }: FallbackOptions = {}) =>
  stage({
    id: 'fallback',
    version: 1,
    key: 'user',
    inputs: { lists: sideInput(topLists), ranked: input(ranked) },
    outputs: { rows: ranked },
    state: { lists: keyed(listsOfCategory) },
    pipeline: ({ inputs, state, out }) => {
      const merged = mergedOnce(listSize);
      const filled = (frame: Ranked): Ranked[] => {
        if (frame.rows === 0) return [];
        const top = merged(state.lists.get(ALL) ?? []);
        return top.size === 0 || !frame.columns.item.codes.includes(ABSENT) ? [frame] : fillEmpty(frame, top, score);
      };
      return merge(
        inputs.lists.pipe(rememberLists(state.lists, (category) => category === ALL)),
        inputs.ranked.pipe(mergeMap((frame) => filled(frame).map((rows) => out.rows(rows)))),
      );
    },
  });

/** The frame with the top list in place of each row without an item. */
function fillEmpty(frame: Ranked, top: MergedList, score: number): Ranked[] {
  const from = frame.columns;
  const chunks = new FrameChunks(ranked, frame.rows);
  let codes = codesInto(chunks, frame, top);
  for (let r = 0; r < frame.rows; r++) {
    // A list begins with rank 1, or 0 when it is empty.
    if (from.rank[r]! <= 1 && chunks.group()) codes = codesInto(chunks, frame, top);
    const { frame: to } = chunks;
    const isEmpty = from.item.codes[r] === ABSENT;
    const user = codes.user.get(from.user.codes[r]!);
    const count = isEmpty ? top.size : 1;
    to.reserve(count);
    const { columns } = to;
    for (let i = 0; i < count; i++, to.rows++) {
      const row = to.rows;
      columns.user.codes[row] = user;
      columns.item.codes[row] = isEmpty ? codes.topItem.get(i + 1) : codes.item.get(from.item.codes[r]!);
      columns.category.codes[row] = isEmpty ? codes.topCategory[i]! : codes.category.get(from.category.codes[r]!);
      columns.score[row] = isEmpty ? score : from.score[r]!;
      columns.interest[row] = isEmpty ? NaN : from.interest[r]!;
      columns.interestRank[row] = isEmpty ? 0 : from.interestRank[r]!;
      columns.rank[row] = isEmpty ? i + 1 : from.rank[r]!;
      columns.kind[row] = isEmpty ? STREAMING_POPULAR_FALLBACK : from.kind[r]!;
    }
  }
  return chunks.finish();
}

/** From the codes of a frame and the positions of the top list to those of the growing frame. */
function codesInto({ frame: { columns } }: FrameChunks<(typeof ranked)['columns']>, frame: Ranked, top: MergedList) {
  return {
    user: new CodeMap(frame.columns.user.dictionary, columns.user.dictionary),
    item: new CodeMap(frame.columns.item.dictionary, columns.item.dictionary),
    category: new CodeMap(frame.columns.category.dictionary, columns.category.dictionary),
    topItem: new CodeMap(top.dictionary, columns.item.dictionary),
    topCategory: top.categories.map((category) => columns.category.dictionary.addText(category)),
  };
}
