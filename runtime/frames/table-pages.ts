/** Pages of a table as of one moment: encoded when they are taken, or before they change. */
export class PageCut implements Iterable<readonly [page: number, bytes: Uint8Array]> {
  private readonly left: Set<number>;
  private readonly ahead: [page: number, bytes: Uint8Array][] = [];

  constructor(
    pages: readonly number[],
    private readonly encode: (page: number) => Uint8Array,
  ) {
    this.left = new Set(pages);
  }

  /** Before the page changes. */
  encodeAhead(page: number): void {
    if (this.left.delete(page)) this.ahead.push([page, this.encode(page)]);
  }

  encodeRest(): void {
    for (const page of this.left) this.encodeAhead(page);
  }

  *[Symbol.iterator](): Generator<readonly [page: number, bytes: Uint8Array]> {
    for (const page of this.left) {
      this.left.delete(page);
      yield [page, this.encode(page)];
    }
    yield* this.ahead;
  }
}
