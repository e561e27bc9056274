/**
 * top-rows: the first k rows of several lists by score, in one pass.
 *
 *   best[l · k + i] = 1 + the row of list l that i other rows of it beat        0 where l has no more rows
 *   a beats b  ⇔  score(a) > score(b), or the scores are equal and a comes before b
 *
 * Each row is in list 0, and in those of its group: group g is list g if there is one, else several lists. A row without a score (NaN) is in none. Most
 * rows of many cost two comparisons.
 */
export interface RowGroups {
  readonly of: Uint32Array;
  /** Of a group beyond the lists. */
  readonly listsOf: (group: number) => readonly number[];
}

export function topRows(
  scores: Float64Array,
  { of: groups, listsOf }: RowGroups,
  isRequested: Uint8Array,
  k: number,
  isBefore: (a: number, b: number) => boolean,
): Uint32Array {
  const best = new Uint32Array(isRequested.length * k);
  // The minimum that a row must reach to be among the best; unreachable for lists that are not requested.
  const least = Float64Array.from(isRequested, (asked) => (asked === 1 ? -Infinity : Infinity));
  const offer = (list: number, row: number, score: number): void => {
    const first = list * k;
    let at = first + k - 1;
    const last = best[at]!;
    if (last !== 0 && scores[last - 1] === score && !isBefore(row, last - 1)) return;
    for (; at > first; at--) {
      const other = best[at - 1]!;
      if (other !== 0 && !(score > scores[other - 1]! || (score === scores[other - 1] && isBefore(row, other - 1))))
        break;
      best[at] = other;
    }
    best[at] = row + 1;
    const full = best[first + k - 1]!;
    if (full !== 0) least[list] = scores[full - 1]!;
  };
  for (let row = 0; row < scores.length; row++) {
    const score = scores[row]!;
    if (score >= least[0]!) offer(0, row, score);
    const group = groups[row]!;
    if (group < least.length) {
      if (group !== 0 && score >= least[group]!) offer(group, row, score);
    } else for (const list of listsOf(group)) if (score >= least[list]!) offer(list, row, score);
  }
  return best;
}
