/**
 * heavy-hitters: which items to keep when there are more than the capacity.
 *
 *   est(i) = score(i) + floor(i)      floor(i): the pane's floor when i was added; score(i): counted since then
 *   full:  the better half by est stays, and the pane's floor becomes the highest est that was removed
 *
 *   true(i) ≤ est(i)          of items that are counted              true(i) ≤ floor     of all others
 *   floor   ≤ 2 · N / m       N  the score of the whole pane         m  its capacity in items
 *
 * So an item that has more than 2 N / m is never missing, no count is above the true one, and none is below it by more than that. It is the
 * sketch of Misra and Gries that removes many items at a time; below the capacity all counts are exact.
 *
 * Proof of the bound: subtract the floor from est. Each time it is full, at least half of m items lose at least what the floor rises by, and all items
 * together never had more than N to lose.
 */

/** The rows of the better half, ascending, and the new floor. */
export function betterHalf(estimates: Float64Array): { readonly rows: Uint32Array; readonly floor: number } {
  const order = Uint32Array.from(estimates.keys()).sort((a, b) => estimates[b]! - estimates[a]! || a - b);
  const kept = Math.ceil(order.length / 2);
  return { rows: order.slice(0, kept).sort(), floor: kept < order.length ? estimates[order[kept]!]! : 0 };
}
