/**
 * log-decay: decayed counts as logarithms, in which the order of items does not change while they fade.
 *
 *   L = log2 Σ over events of 2^(t / h)      t  event time, h  half-life, ms        count at T = 2^(L − T / h)
 *
 * An event adds to L whatever the order of times, nothing overflows, and of two items the one with the greater L has the greater count at any T.
 */
export const NEVER = -Infinity;

/** L with an event more. */
export function addEvent(log: number, time: number, halfLifeMs: number): number {
  const at = time / halfLifeMs;
  if (log === NEVER) return at;
  const difference = at - log;
  return Math.max(log, at) + Math.log2(1 + 2 ** -Math.abs(difference));
}

/** log(1 + count at T). */
export function logOfCount(log: number, time: number, halfLifeMs: number): number {
  const z = log - time / halfLifeMs;
  if (z < -40) return 0;
  return z > 40 ? z * Math.LN2 : Math.log1p(2 ** z);
}
