/**
 * neighbour-list: the items that go with an item, with the weight of each; bounded.
 *
 *   add(other, w)   weight(other) += w; a new one in a full list first drops the smallest weights, down to three quarters (of equal ones the later added)
 */
const FIRST_CAPACITY = 4;

export class NeighbourList {
  private constructor(
    others: Uint32Array,
    weights: Float32Array,
    private count: number,
  ) {
    this.others = others;
    this.weights = weights;
  }

  /** Numbers of items, in order of addition, `size` of them. */
  others: Uint32Array;
  weights: Float32Array;

  static empty(): NeighbourList {
    return new NeighbourList(new Uint32Array(FIRST_CAPACITY), new Float32Array(FIRST_CAPACITY), 0);
  }

  static of(others: Uint32Array, weights: Float32Array): NeighbourList {
    return others.length === 0 ? NeighbourList.empty() : new NeighbourList(others, weights, others.length);
  }

  get size(): number {
    return this.count;
  }

  /** 0 for one that is not listed. */
  weightOf(other: number): number {
    const at = this.indexOf(other);
    return at < 0 ? 0 : this.weights[at]!;
  }

  add(other: number, weight: number, max: number): void {
    const at = this.indexOf(other);
    if (at >= 0) {
      this.weights[at]! += weight;
      return;
    }
    if (this.count >= max) this.keepLargest(Math.floor((max * 3) / 4));
    if (this.count === this.others.length) this.grow(Math.min(max, this.count * 2));
    this.others[this.count] = other;
    this.weights[this.count++] = weight;
  }

  /** The same list with other numbers; those without one (`NONE`) are dropped. */
  renumbered(numbers: Uint32Array): NeighbourList {
    const kept = Uint32Array.from(this.others.subarray(0, this.count).keys()).filter(
      (at) => numbers[this.others[at]!] !== NONE,
    );
    return NeighbourList.of(
      kept.map((at) => numbers[this.others[at]!]!),
      Float32Array.from(kept, (at) => this.weights[at]!),
    );
  }

  private indexOf(other: number): number {
    // What stands behind the list may be of an item that was dropped.
    const at = this.others.indexOf(other);
    return at < this.count ? at : -1;
  }

  private keepLargest(kept: number): void {
    const { others, weights, count } = this;
    const ascending = weights.slice(0, count).sort();
    const least = ascending[count - kept]!;
    // Of those that weigh as much as the least.
    let room = kept - (count - ascending.findLastIndex((weight) => weight === least) - 1);
    let to = 0;
    for (let from = 0; from < count; from++) {
      const weight = weights[from]!;
      if (weight < least || (weight === least && room-- <= 0)) continue;
      others[to] = others[from]!;
      weights[to++] = weight;
    }
    this.count = to;
  }

  private grow(capacity: number): void {
    const [others, weights] = [new Uint32Array(capacity), new Float32Array(capacity)];
    others.set(this.others);
    weights.set(this.weights);
    [this.others, this.weights] = [others, weights];
  }
}

/** The new number of an item that is dropped. */
export const NONE = 0xffffffff;
