/** scoreboard: sums of scores by item number, and the first n of them: by score desc, then by number asc. Used again and again, for it allocates nothing. */
export class Scoreboard {
  private scores = new Float64Array(1024);
  private touched = new Uint32Array(1024);
  private count = 0;

  /** `score` > 0 */
  add(item: number, score: number): void {
    if (item >= this.scores.length) this.grow(item);
    if (this.scores[item] === 0) {
      if (this.count === this.touched.length) this.touched = longer(this.touched, this.count * 2);
      this.touched[this.count++] = item;
    }
    this.scores[item]! += score;
  }

  /** The first n; the board is empty then. */
  take(n: number): number[] {
    const { scores, touched, count } = this;
    const best: number[] = [];
    for (let i = 0; i < count; i++) {
      const item = touched[i]!;
      const score = scores[item]!;
      const last = best.length === n ? best[n - 1]! : undefined;
      if (last !== undefined && !isBefore(score, item, scores[last]!, last)) continue;
      let at = last === undefined ? best.length : n - 1;
      for (; at > 0 && isBefore(score, item, scores[best[at - 1]!]!, best[at - 1]!); at--) best[at] = best[at - 1]!;
      best[at] = item;
    }
    for (let i = 0; i < count; i++) scores[touched[i]!] = 0;
    this.count = 0;
    return best;
  }

  private grow(item: number): void {
    const scores = new Float64Array(Math.max(item + 1, this.scores.length * 2));
    scores.set(this.scores);
    this.scores = scores;
  }
}

const isBefore = (score: number, item: number, other: number, otherItem: number): boolean =>
  score > other || (score === other && item < otherItem);

function longer(array: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const grown = new Uint32Array(length);
  grown.set(array);
  return grown;
}
