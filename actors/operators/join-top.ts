/**
 * joinTop(lists, n): for each user of the interests the n best items of the top lists of the user's categories, in the order of the users.
 *
 *   lists      electronics → [1 ×300, 2 ×100]    kids → [3 ×200]
 *   interests  --a--|      a: u is interested in electronics (2) and kids (1)
 *   result     --x--|      x: u → 1 (6.00), 2 (2.00), 3 (2.00)
 *
 * An item that is in several of the lists is offered by each; the best of its scores comes first, and the others are passed over.
 *
 * Law: a user's list depends on the user's rows and the lists alone, not on the other users of the frame.
 */
import { mergeMap, type OperatorFunction } from 'rxjs';
import {
  ABSENT,
  CodeMap,
  type FrameBuilder,
  type FrameOf,
  grown,
  type Keyed,
  textAt,
} from '../../runtime/contract/stage.js';
import { FrameChunks } from '../maths/frame-chunks.js';
import { type Head, ListMerge } from '../maths/list-merge.js';
import { type ListsOfCategory, type MergedList, mergedOnce } from '../maths/top-list.js';
import { type interests, ranked, STREAMING_CATEGORY_POPULARITY } from '../model.js';

type Interests = FrameOf<typeof interests>;
type Ranked = FrameOf<typeof ranked>;

export function joinTop(lists: Keyed<ListsOfCategory>, listSize: number): OperatorFunction<Interests, Ranked> {
  const merged = mergedOnce(listSize);
  const topOf = (category: string): MergedList | undefined => {
    const known = lists.get(category);
    return known === undefined ? undefined : merged(known);
  };
  return mergeMap((frame) => joined(frame, topOf, listSize));
}

function joined(frame: Interests, topOf: (category: string) => MergedList | undefined, listSize: number): Ranked[] {
  const { user, category, interest, rank } = frame.columns;
  const tops: (MergedList | undefined)[] = [];
  for (let code = 1; code < category.dictionary.size; code++) tops[code] = topOf(textAt(category.dictionary, code)!);

  const writer = new ListWriter(frame, tops, listSize);
  for (let start = 0, end = 0; start < frame.rows; start = end) {
    const code = user.codes[start]!;
    writer.begin(code);
    for (; end < frame.rows && user.codes[end] === code && (end === start || rank[end]! > rank[end - 1]!); end++) {
      writer.offer(category.codes[end]!, interest[end]!, rank[end]!);
    }
    writer.write();
  }
  return writer.finish();
}

/** Writes the lists of users. */
class ListWriter {
  private readonly chunks: FrameChunks<(typeof ranked)['columns']>;
  /** By codes of categories in `from`. */
  private readonly merge = new ListMerge<number>();
  private user = ABSENT;
  private users!: CodeMap;
  private categories!: CodeMap;
  /** By category: from positions in its list to item codes of the current frame. */
  private items!: (CodeMap | undefined)[];
  /** By item code of the current frame: the number of the latest user whose list has the item. */
  private listed = new Uint32Array(0);
  private userNumber = 0;

  constructor(
    private readonly from: Interests,
    private readonly tops: readonly (MergedList | undefined)[],
    private readonly listSize: number,
  ) {
    this.chunks = new FrameChunks(ranked, from.rows * listSize);
    this.mapCodes();
  }

  begin(user: number): void {
    if (this.chunks.group()) this.mapCodes();
    this.user = user;
    this.userNumber++;
    this.merge.begin();
  }

  offer(category: number, interest: number, interestRank: number): void {
    this.merge.add(category, interest, interestRank, this.tops[category]);
  }

  /** Outputs the first n items, each once. */
  write(): void {
    const { merge, listSize } = this;
    const { frame } = this.chunks;
    frame.reserve(listSize);
    const { columns } = frame;
    const user = this.users.get(this.user);
    let rank = 0;
    for (let head = merge.next(); head !== undefined && rank < listSize; head = merge.next()) {
      const item = this.itemCode(head);
      if (this.isListed(item)) continue;
      const row = frame.rows++;
      columns.user.codes[row] = user;
      columns.item.codes[row] = item;
      columns.category.codes[row] = this.categories.get(head.category);
      columns.score[row] = head.score;
      columns.interest[row] = head.interest;
      columns.interestRank[row] = head.interestRank;
      columns.rank[row] = ++rank;
      columns.kind[row] = STREAMING_CATEGORY_POPULARITY;
    }
    if (rank === 0) writeEmpty(frame, user);
  }

  finish(): Ranked[] {
    return this.chunks.finish();
  }

  /** From then on it is. */
  private isListed(item: number): boolean {
    if (item >= this.listed.length) this.listed = grown(this.listed, item + 1);
    if (this.listed[item] === this.userNumber) return true;
    this.listed[item] = this.userNumber;
    return false;
  }

  private itemCode({ category, list, at }: Head<number>): number {
    let codes = this.items[category];
    if (codes === undefined) {
      codes = new CodeMap(list.dictionary, this.chunks.frame.columns.item.dictionary);
      this.items[category] = codes;
    }
    return codes.get(at + 1);
  }

  private mapCodes(): void {
    const { user, category } = this.from.columns;
    const { columns } = this.chunks.frame;
    this.users = new CodeMap(user.dictionary, columns.user.dictionary);
    this.categories = new CodeMap(category.dictionary, columns.category.dictionary);
    this.items = new Array<undefined>(category.dictionary.size).fill(undefined);
  }
}

function writeEmpty(frame: FrameBuilder<(typeof ranked)['columns']>, user: number): void {
  const { columns, rows } = frame;
  columns.user.codes[rows] = user;
  columns.item.codes[rows] = ABSENT;
  columns.category.codes[rows] = ABSENT;
  columns.score[rows] = NaN;
  columns.interest[rows] = NaN;
  columns.interestRank[rows] = 0;
  columns.rank[rows] = 0;
  columns.kind[rows] = STREAMING_CATEGORY_POPULARITY;
  frame.rows++;
}
