/** The items that a user did something with last, each once, newest first; of several at one time the one that came last is the newest. */
export const LATEST_MAX = 20;

export interface LatestItems {
  readonly items: readonly string[];
  /** Epoch ms. */
  readonly times: readonly number[];
}

export const NO_ITEMS: LatestItems = { items: [], times: [] };

/** With an event more. `at`: its place; absent: it is older than all that are kept. */
export function withItem({ items, times }: LatestItems, item: string, timeMs: number): LatestItems & { at?: number } {
  const was = items.indexOf(item);
  if (was >= 0 && times[was]! > timeMs) return { items, times };
  const others = (_: unknown, i: number): boolean => i !== was;
  const [otherItems, otherTimes] = was < 0 ? [items, times] : [items.filter(others), times.filter(others)];
  let at = 0;
  while (at < otherTimes.length && otherTimes[at]! > timeMs) at++;
  if (at >= LATEST_MAX) return { items, times };
  return {
    items: otherItems.toSpliced(at, 0, item).slice(0, LATEST_MAX),
    times: otherTimes.toSpliced(at, 0, timeMs).slice(0, LATEST_MAX),
    at,
  };
}
