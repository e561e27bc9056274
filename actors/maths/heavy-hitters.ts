/**
 * heavy-hitters: which items to keep when there are more than there is room for.
 *
 *   est(i) = score(i) + floor(i)      floor(i): what the pane's floor was when i came in; score(i): what was counted since
 *   full:  the better half by est stays, and the pane's floor becomes the highest est that had to go
 *
 *   true(i) ≤ est(i)          of items that are counted              true(i) ≤ floor     of all others
 *   floor   ≤ 2 · N / m       N  the score of the whole pane         m  how many items it has room for
 *
 * So no item that has more than 2 N / m is ever missing, no count is above the truth, and none is below it by more than that. It is the
 * sketch of Misra and Gries with many items let go at a time; without more items than there is room for, all counts are exact.
 *
 * Why the bound: subtract the floor from est. Each time it is full, at least half of m items lose at least what the floor rises by, and together
 * items never had more than N to lose.
 */

/** The rows of the better half, ascending, and the floor that the others leave behind. */
export function betterHalf(estimates: Float64Array): { readonly rows: Uint32Array; readonly floor: number } {
  const order = Uint32Array.from(estimates.keys()).sort((a, b) => estimates[b]! - estimates[a]! || a - b);
  const kept = Math.ceil(order.length / 2);
  return { rows: order.slice(0, kept).sort(), floor: kept < order.length ? estimates[order[kept]!]! : 0 };
}
