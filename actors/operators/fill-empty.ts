/**
 * fillEmpty(lists, n, score): replaces each row without an item by the first n items of the list over all; all other rows pass unchanged.
 *
 *   lists    all → [9, 7]
 *   ranked   --a--|      a: u → 1, 2    v → nothing
 *   result   --x--|      x: u → 1, 2    v → 9, 7
 *
 * Law: every user of the input is a user of the result, in the same order. While no item is popular, frames pass unchanged.
 */
import { mergeMap, type OperatorFunction } from 'rxjs';
import { ABSENT, CodeMap, type FrameBuilder, type FrameOf, type Keyed } from '../../runtime/contract/stage.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { type ListsOfCategory, type MergedList, mergedOnce } from '../maths/top-list.js';
import { ranked, STREAMING_POPULAR_FALLBACK } from '../model.js';
import { ALL } from './remember-lists.js';

type Ranked = FrameOf<typeof ranked>;

export function fillEmpty(
  lists: Keyed<ListsOfCategory>,
  listSize: number,
  score: number,
): OperatorFunction<Ranked, Ranked> {
  const merged = mergedOnce(listSize);
  return mergeMap((frame) => {
    if (frame.rows === 0) return [];
    const top = merged(lists.get(ALL) ?? []);
    return top.size === 0 || !frame.columns.item.codes.includes(ABSENT) ? [frame] : filled(frame, top, score);
  });
}

type Columns = (typeof ranked)['columns'];

/** The frame with the top list in place of each row without an item. */
function filled(frame: Ranked, top: MergedList, score: number): Ranked[] {
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

/** Maps the codes of a frame and the positions of the top list to those of the output frame. */
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

/** Rows [start, end), all of one user. */
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
