/**
 * watermark: how far event time has advanced at a source, and when the source counts as idle.
 *
 *   r(skew) = max over all events of min(t, s + skew)      t  event time      s  the time at which the log stored the event
 *   W       = r(skew) − delay       never moves back
 *   as of   = r(0)                  never ahead of the log's clock
 *   idle ⇔ now − q ≥ idleAfter      now  the latest tick      q  the first tick since the last rows
 *
 * A publisher's clock that is ahead advances time no further than the log's clock plus the skew. Files have no s: there t alone counts, as in Spark.
 *
 * Times are epoch ms: event time for W and r, tick time for now and q. Unknown values are absent.
 */
export interface SourceState {
  /** r(0). */
  readonly maxTimeMs?: number;
  readonly watermarkMs?: number;
  readonly tickMs?: number;
  /** q; absent when rows came after the latest tick, and before the first tick. */
  readonly quietSinceMs?: number;
  /** The tick at which the last epoch ended. Only an interval trigger reads it. */
  readonly epochTickMs?: number;
}

/** What rows advance time to: their r(0) and r(skew). */
export interface Reached {
  readonly asOfMs: number;
  readonly withSkewMs: number;
}

/** `storedAt`: NaN where t ≤ s, and in files. */
export function reachedBy(times: Float64Array, storedAt: Float64Array, skewMs: number): Reached {
  let asOfMs = -Infinity;
  let withSkewMs = -Infinity;
  for (let i = 0; i < times.length; i++) {
    const [time, stored] = [times[i]!, storedAt[i]!];
    asOfMs = Math.max(asOfMs, time > stored ? stored : time);
    withSkewMs = Math.max(withSkewMs, time > stored + skewMs ? stored + skewMs : time);
  }
  return { asOfMs, withSkewMs };
}

/** After rows. W is stored itself, so that it stays even if the delay grows at a restart. */
export function afterRows(state: SourceState, { asOfMs, withSkewMs }: Reached, delayMs: number): SourceState {
  const { quietSinceMs: _, ...rest } = state;
  const maxTimeMs = Math.max(asOfMs, state.maxTimeMs ?? -Infinity);
  return { ...rest, maxTimeMs, watermarkMs: Math.max(withSkewMs - delayMs, state.watermarkMs ?? -Infinity) };
}

/** After a tick. A clock that goes back is ignored. */
export function afterTick(state: SourceState, timeMs: number): SourceState {
  const tickMs = Math.max(timeMs, state.tickMs ?? -Infinity);
  return { ...state, tickMs, quietSinceMs: state.quietSinceMs ?? tickMs };
}

export const isIdle = ({ tickMs, quietSinceMs }: SourceState, idleAfterMs: number): boolean =>
  tickMs !== undefined && quietSinceMs !== undefined && tickMs - quietSinceMs >= idleAfterMs;

/** How many multiples of `everyMs` lie in (0, ms]. */
export const multiples = (ms: number, everyMs: number): number => Math.floor(ms / everyMs);
