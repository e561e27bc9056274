/**
 * watermark: what a source is known to have passed, and when it counts as silent.
 *
 *   W = max event time − delay      never moves back
 *   idle ⇔ now − q ≥ idleAfter      now  the latest tick      q  the first tick since the last rows
 *
 * Times are epoch ms: event time for W and max, tick time for now and q. What is not known yet is absent.
 */
export interface SourceState {
  readonly maxTimeMs?: number;
  readonly watermarkMs?: number;
  readonly tickMs?: number;
  /** q; absent when rows came after the latest tick, and before the first tick. */
  readonly quietSinceMs?: number;
  /** The tick at which the last epoch ended. Only an interval trigger reads it. */
  readonly epochTickMs?: number;
}

/** After rows up to this event time. W is kept beside the maximum, so that it stays even if the delay grows over a restart. */
export function afterRows(state: SourceState, timeMaxMs: number, delayMs: number): SourceState {
  const { quietSinceMs: _, ...rest } = state;
  const maxTimeMs = Math.max(timeMaxMs, state.maxTimeMs ?? -Infinity);
  return { ...rest, maxTimeMs, watermarkMs: Math.max(maxTimeMs - delayMs, state.watermarkMs ?? -Infinity) };
}

/** After a tick. A clock that goes back stands still here. */
export function afterTick(state: SourceState, timeMs: number): SourceState {
  const tickMs = Math.max(timeMs, state.tickMs ?? -Infinity);
  return { ...state, tickMs, quietSinceMs: state.quietSinceMs ?? tickMs };
}

export const isIdle = ({ tickMs, quietSinceMs }: SourceState, idleAfterMs: number): boolean =>
  tickMs !== undefined && quietSinceMs !== undefined && tickMs - quietSinceMs >= idleAfterMs;

/** How many multiples of `everyMs` lie in (0, ms]. */
export const multiples = (ms: number, everyMs: number): number => Math.floor(ms / everyMs);
