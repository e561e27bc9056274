/** When the next event is due: so many per second, or by event time. Times are ms of the clock that it is given. */

export type Pace = (timeMs: number | undefined) => number;

/** Due at once, always. */
export const unpaced: Pace = () => 0;

/** n per second, evenly; what comes late is not made up for beyond a second's worth. */
export function perSecond(n: number, nowMs: () => number): Pace {
  const stepMs = 1000 / n;
  let dueMs = nowMs();
  return () => {
    const at = dueMs;
    dueMs = Math.max(dueMs + stepMs, nowMs() - 1000);
    return at;
  };
}

/** As far apart as the events were, divided by `speed`; an event that goes back in time, or has none, is due with the one before. */
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
