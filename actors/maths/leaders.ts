/**
 * leaders: the best n of each of several lists of numbered items, maintained by insertion.
 *
 * A list is known or unknown; a known one is exact. An item that overtakes others is inserted; one that falls or leaves may make room for an item
 * that no list contains, so its list becomes unknown and is rebuilt from all items, many lists in one pass.
 */
export class Leaders {
  private readonly lists: (number[] | undefined)[] = [];

  constructor(
    private readonly size: number,
    private readonly beats: (a: number, b: number) => boolean,
  ) {}

  of(list: number): readonly number[] | undefined {
    return this.lists[list];
  }

  /** Makes a list without items known. */
  open(list: number): void {
    this.lists[list] = [];
  }

  forget(list: number): void {
    this.lists[list] = undefined;
  }

  /** Inserts an item into a known list that it is new to or in which it has not fallen. False when it is not among the best. */
  place(list: number, item: number): boolean {
    const leaders = this.lists[list]!;
    const was = leaders.indexOf(item);
    if (was >= 0) leaders.splice(was, 1);
    let at = was >= 0 ? was : leaders.length;
    while (at > 0 && this.beats(item, leaders[at - 1]!)) at--;
    if (at >= this.size) return false;
    leaders.splice(at, 0, item);
    if (leaders.length > this.size) leaders.pop();
    return true;
  }

  /** Rebuilds lists: every item is offered to the requested ones among its lists. */
  build(lists: ReadonlySet<number>, items: number, listsOf: (item: number) => readonly number[]): void {
    for (const list of lists) this.open(list);
    for (let item = 0; item < items; item++) {
      for (const list of listsOf(item)) if (lists.has(list)) this.place(list, item);
    }
  }
}
