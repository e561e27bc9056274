/** When the next event is due: at a fixed rate, or by event time. Times are ms of the given clock. */

export type Pace = (timeMs: number | undefined) => number;

/** Always due at once. */
export const unpaced: Pace = () => 0;

/** n per second, evenly; a delay of more than a second is not made up for. */
export function perSecond(n: number, nowMs: () => number): Pace {
  const stepMs = 1000 / n;
  let dueMs = nowMs();
  return () => {
    const at = dueMs;
    dueMs = Math.max(dueMs + stepMs, nowMs() - 1000);
    return at;
  };
}

/** The intervals of the events, divided by `speed`; an event that goes back in time, or has none, is due with the previous one. */
export function byEventTime(speed: number, nowMs: () => number): Pace {
  let first: { readonly eventMs: number; readonly atMs: number } | undefined;
  let dueMs = 0;
  return (timeMs) => {
    if (timeMs === undefined) return dueMs;
    first ??= { eventMs: timeMs, atMs: nowMs() };
    dueMs = Math.max(dueMs, first.atMs + (timeMs - first.eventMs) / speed);
    return dueMs;
  };
}
