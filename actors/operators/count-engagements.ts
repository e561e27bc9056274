/**
 * The operators of trending over its counts (TrendCounts); none emits anything.
 *
 *   countEngagements(counts)             counts frames
 *   closePanes(counts)                   at the end of an epoch advances time, and drops what W closes
 *   adoptOptions(state, counts, by)      before the first input: after a start with other options all lists count as changed, and decayed sums are
 *                                        recomputed with the configured half-life
 */
import { defer, EMPTY, ignoreElements, type Observable, tap } from 'rxjs';
import type { EpochEnd, FrameOf, Value } from '../../runtime/contract/stage.js';
import type { engagements } from '../model.js';
import type { TrendCounts } from '../state/trend-counts.js';

export const countEngagements =
  (counts: TrendCounts) =>
  (frames: Observable<FrameOf<typeof engagements>>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        counts.take(frame);
      }),
      ignoreElements(),
    );

export const closePanes =
  (counts: TrendCounts) =>
  (ends: Observable<EpochEnd>): Observable<never> =>
    ends.pipe(
      tap(({ watermarkMs, asOfMs }) => {
        counts.knowOf(asOfMs);
        counts.closeUpTo(watermarkMs);
      }),
      ignoreElements(),
    );

export interface AdoptedState {
  /** The options that the lists were published with. */
  readonly publishedBy: Value<string>;
  readonly newest: Value<number>;
}

/** Nothing happens before the subscription, at which time the state has been recovered. */
export const adoptOptions = (
  { publishedBy, newest }: AdoptedState,
  counts: TrendCounts,
  { rankedBy, halfLifeMs }: { readonly rankedBy: string; readonly halfLifeMs: number | undefined },
): Observable<never> =>
  defer(() => {
    if (publishedBy.get() !== rankedBy) {
      publishedBy.set(rankedBy);
      newest.set(-Infinity);
      if (halfLifeMs !== undefined) counts.heatAnew(halfLifeMs);
    }
    return EMPTY;
  });
