/**
 * popularity-join: which popular items meet a user's interests.
 *
 *   score(u, i) = I(u, c) · N(i) / 100      i in top(c), c in the top categories of u
 *   list(u)     = the first n of these i by score desc, then i asc (item-order)       n = 10; ranks from 1
 *
 *   I  category interest of u (count, or decayed)     N  total purchases of i     c  main category
 *
 * A category's list is sorted by N, and so by score: u's list is a merge of at most three sorted lists, O(3 · n). (Counts below 2^50 and
 * interests above 1e-9 keep two unequal counts from rounding to one score.) A user none of whose categories has a popular item gets a row
 * without an item.
 *
 * State    the latest top list of each category from each popularity instance (≤ 100 items each).
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
  textAt,
} from '../runtime/contract/stage.js';
import { FrameChunks } from './maths/frame-chunks.js';
import { compareItems } from './maths/item-order.js';
import { listsOfCategory, type MergedList, mergedOnce, splitAnew } from './maths/top-list.js';
import { interests, ranked, STREAMING_CATEGORY_POPULARITY, topLists } from './model.js';
import { ALL, rememberLists } from './operators/remember-lists.js';

type Interests = FrameOf<typeof interests>;
type Ranked = FrameOf<typeof ranked>;

export interface PopularityJoinOptions {
  /** Items per user, 1 to 100. */
  readonly listSize?: number;
}

export const popularityJoin = ({ listSize = 10 }: PopularityJoinOptions = {}) =>
  stage({
    id: 'popularity-join',
    version: 1,
    key: 'user',
    inputs: { lists: sideInput(topLists), interests: input(interests) },
    outputs: { rows: ranked },
    state: { lists: keyed(listsOfCategory, { law: splitAnew }) },
    pipeline: ({ inputs, state, out }) => {
      const merged = mergedOnce(listSize);
      const topOf = (category: string): MergedList | undefined => {
        const lists = state.lists.get(category);
        return lists === undefined ? undefined : merged(lists);
      };
      return merge(
        inputs.lists.pipe(rememberLists(state.lists, (category) => category !== ALL)),
        inputs.interests.pipe(mergeMap((frame) => joinTop(frame, topOf, listSize).map((rows) => out.rows(rows)))),
      );
    },
  });

/** Each user's list, in the order of the users. */
function joinTop(frame: Interests, topOf: (category: string) => MergedList | undefined, listSize: number): Ranked[] {
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

/** A user's category while the lists are merged: the head is its best item that is not yet taken. */
interface Head {
  category: number;
  interest: number;
  interestRank: number;
  list: MergedList;
  at: number;
  score: number;
}

/** Writes one user's list after the other. No object is made per user: heads are used again. */
class ListWriter {
  private readonly chunks: FrameChunks<(typeof ranked)['columns']>;
  private readonly heads: Head[] = [];
  private headCount = 0;
  private user = ABSENT;
  private users!: CodeMap;
  private categories!: CodeMap;
  /** By category: from positions in its list to item codes of the growing frame. */
  private items!: (CodeMap | undefined)[];

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
    this.headCount = 0;
  }

  offer(category: number, interest: number, interestRank: number): void {
    const list = this.tops[category];
    if (list === undefined || list.size === 0) return;
    const score = (interest * list.purchases[0]!) / 100;
    const head = this.heads[this.headCount];
    if (head === undefined) this.heads.push({ category, interest, interestRank, list, at: 0, score });
    else {
      head.category = category;
      head.interest = interest;
      head.interestRank = interestRank;
      head.list = list;
      head.at = 0;
      head.score = score;
    }
    this.headCount++;
  }

  /** Takes the best head, n times. */
  write(): void {
    const { frame } = this.chunks;
    frame.reserve(this.listSize);
    const { columns } = frame;
    const user = this.users.get(this.user);
    if (this.headCount === 0) {
      writeEmpty(frame, user);
      return;
    }
    for (let rank = 1; rank <= this.listSize && this.headCount > 0; rank++) {
      const best = this.bestHead();
      const head = this.heads[best]!;
      const row = frame.rows++;
      columns.user.codes[row] = user;
      columns.item.codes[row] = this.itemCode(head);
      columns.category.codes[row] = this.categories.get(head.category);
      columns.score[row] = head.score;
      columns.interest[row] = head.interest;
      columns.interestRank[row] = head.interestRank;
      columns.rank[row] = rank;
      columns.kind[row] = STREAMING_CATEGORY_POPULARITY;
      if (++head.at < head.list.size) head.score = (head.interest * head.list.purchases[head.at]!) / 100;
      else this.drop(best);
    }
  }

  finish(): Ranked[] {
    return this.chunks.finish();
  }

  private bestHead(): number {
    let best = 0;
    for (let i = 1; i < this.headCount; i++) if (beats(this.heads[i]!, this.heads[best]!)) best = i;
    return best;
  }

  private drop(index: number): void {
    const last = --this.headCount;
    const head = this.heads[index]!;
    this.heads[index] = this.heads[last]!;
    this.heads[last] = head;
  }

  private itemCode({ category, list, at }: Head): number {
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

/** By score, which is compared exactly; then the order of items. */
function beats(a: Head, b: Head): boolean {
  if (a.score !== b.score) return a.score > b.score;
  const [keyA, keyB] = [a.list.keys[a.at]!, b.list.keys[b.at]!];
  return keyA === keyB ? compareItems(a.list.items[a.at]!, b.list.items[b.at]!) < 0 : keyA < keyB;
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
