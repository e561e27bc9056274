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
import {
  ABSENT,
  CodeMap,
  type FrameBuilder,
  type FrameOf,
  input,
  keyed,
  sideInput,
  stage,
} from '../runtime/contract/stage.js';
import { FrameChunks } from './maths/frame-chunks.js';
import { listsOfCategory, type MergedList, mergedOnce, splitAnew } from './maths/top-list.js';
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
    state: { lists: keyed(listsOfCategory, { law: splitAnew }) },
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

type Columns = (typeof ranked)['columns'];

/** The frame with the top list in place of each row without an item. */
function fillEmpty(frame: Ranked, top: MergedList, score: number): Ranked[] {
  const { user, item, rank } = frame.columns;
  const chunks = new FrameChunks(ranked, frame.rows);
  let codes = codesInto(chunks.frame, frame, top);
  for (let start = 0, end = 0; start < frame.rows; start = end) {
    // A list begins with rank 1, or 0 when it is empty.
    for (end = start + 1; end < frame.rows && rank[end]! > 1;) end++;
    if (chunks.group()) codes = codesInto(chunks.frame, frame, top);
    if (item.codes[start] === ABSENT) writeTop(chunks.frame, codes.user.get(user.codes[start]!), top, codes, score);
    else copyRows(chunks.frame, frame, start, end, codes);
  }
  return chunks.finish();
}

/** From the codes of a frame and the positions of the top list to those of the growing frame. */
function codesInto({ columns }: FrameBuilder<Columns>, frame: Ranked, top: MergedList) {
  return {
    user: new CodeMap(frame.columns.user.dictionary, columns.user.dictionary),
    item: new CodeMap(frame.columns.item.dictionary, columns.item.dictionary),
    category: new CodeMap(frame.columns.category.dictionary, columns.category.dictionary),
    topItem: new CodeMap(top.dictionary, columns.item.dictionary),
    topCategory: top.categories.map((category) => columns.category.dictionary.addText(category)),
  };
}
type Codes = ReturnType<typeof codesInto>;

function writeTop(to: FrameBuilder<Columns>, user: number, top: MergedList, codes: Codes, score: number): void {
  to.reserve(top.size);
  const { columns } = to;
  for (let i = 0; i < top.size; i++) {
    const row = to.rows++;
    columns.user.codes[row] = user;
    columns.item.codes[row] = codes.topItem.get(i + 1);
    columns.category.codes[row] = codes.topCategory[i]!;
    columns.score[row] = score;
    columns.interest[row] = NaN;
    columns.interestRank[row] = 0;
    columns.rank[row] = i + 1;
    columns.kind[row] = STREAMING_POPULAR_FALLBACK;
  }
}

/** Rows [start, end), which are one user's. */
function copyRows(to: FrameBuilder<Columns>, frame: Ranked, start: number, end: number, codes: Codes): void {
  to.reserve(end - start);
  const { columns } = to;
  const from = frame.columns;
  const user = codes.user.get(from.user.codes[start]!);
  let row = to.rows;
  for (let r = start; r < end; r++, row++) {
    columns.user.codes[row] = user;
    columns.item.codes[row] = codes.item.get(from.item.codes[r]!);
    columns.category.codes[row] = codes.category.get(from.category.codes[r]!);
    columns.score[row] = from.score[r]!;
    columns.interest[row] = from.interest[r]!;
    columns.interestRank[row] = from.interestRank[r]!;
    columns.rank[row] = from.rank[r]!;
    columns.kind[row] = from.kind[r]!;
  }
  to.rows = row;
}
