/**
 * best-rows: the first k rows of each group in an order.
 *
 *   best[g · k + i] = 1 + the row of group g that i other rows of g beat        0 where g has no more rows
 */
export function bestRows(
  groups: Uint32Array,
  groupCount: number,
  k: number,
  beats: (a: number, b: number) => boolean,
  counts: (row: number) => boolean = () => true,
): Uint32Array {
  const best = new Uint32Array(groupCount * k);
  for (let row = 0; row < groups.length; row++) {
    if (!counts(row)) continue;
    const first = groups[row]! * k;
    let at = first + k - 1;
    if (best[at] !== 0 && !beats(row, best[at]! - 1)) continue;
    // The last place is free or given up; rows that this one beats move down by one.
    for (; at > first && (best[at - 1] === 0 || beats(row, best[at - 1]! - 1)); at--) best[at] = best[at - 1]!;
    best[at] = row + 1;
  }
  return best;
}
