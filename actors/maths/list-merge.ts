/**
 * list-merge: a user's list out of the top lists of the categories that interest the user.
 *
 *   score(u, i) = I(u, c) · N(i) / 100      i in top(c), c in the top categories of u
 *   list(u)     = these i by score desc, then i asc (item-order)
 *
 *   I  category interest of u    N  popularity of i    c  main category
 *
 * An item that is in several of the lists is offered by each, its best score first; whoever writes the list passes over the others. A category's list is sorted
 * by N, and so by score: it is a merge of at most three sorted lists. (Counts below 2^50 and interests above 1e-9 ensure that two unequal counts do not
 * round to one score.)
 *
 * Jobs over files write the lists of all users of an epoch (operators/join-top), and a node makes that of one user when asked (maths/made-list).
 */
import { compareItems } from './item-order.js';
import type { MergedList } from './top-list.js';

/** A category of the user; `at` is the place of its best item that was not offered yet. `C` names the category. */
export interface Head<C> {
  category: C;
  interest: number;
  /** From 1. */
  interestRank: number;
  list: MergedList;
  at: number;
  score: number;
}

/** No object is allocated per user: heads are reused. */
export class ListMerge<C> {
  private readonly heads: Head<C>[] = [];
  private count = 0;
  /** The head that `next` returned last, whose item is offered. */
  private offered = -1;

  /** Another user begins. */
  begin(): void {
    this.count = 0;
    this.offered = -1;
  }

  /** A category of the user. Those without popular items are left out. */
  add(category: C, interest: number, interestRank: number, list: MergedList | undefined): void {
    if (list === undefined || list.size === 0) return;
    const score = (interest * list.popularity[0]!) / 100;
    const head = this.heads[this.count];
    if (head === undefined) this.heads.push({ category, interest, interestRank, list, at: 0, score });
    else {
      head.category = category;
      head.interest = interest;
      head.interestRank = interestRank;
      head.list = list;
      head.at = 0;
      head.score = score;
    }
    this.count++;
  }

  /** The head with the next item, valid until the next call. */
  next(): Head<C> | undefined {
    if (this.offered >= 0) this.advance(this.offered);
    this.offered = -1;
    if (this.count === 0) return undefined;
    let best = 0;
    for (let i = 1; i < this.count; i++) if (beats(this.heads[i]!, this.heads[best]!)) best = i;
    this.offered = best;
    return this.heads[best];
  }

  private advance(index: number): void {
    const head = this.heads[index]!;
    if (++head.at < head.list.size) head.score = (head.interest * head.list.popularity[head.at]!) / 100;
    else {
      const last = --this.count;
      this.heads[index] = this.heads[last]!;
      this.heads[last] = head;
    }
  }
}

/** By score, compared exactly; then by the order of items; of one item the stronger interest. */
function beats<C>(a: Head<C>, b: Head<C>): boolean {
  if (a.score !== b.score) return a.score > b.score;
  const [keyA, keyB] = [a.list.keys[a.at]!, b.list.keys[b.at]!];
  if (keyA !== keyB) return keyA < keyB;
  const order = compareItems(a.list.items[a.at]!, b.list.items[b.at]!);
  return order === 0 ? a.interestRank < b.interestRank : order < 0;
}
