/**
 * reportUnknown(unknown): at each tick emits the unknown items since the last one, and forgets them.
 *
 *   ticks    --a--b--|      before a: two events with item 8
 *   result   --x-----|      x: 8, 2 events
 *
 * Law: each event is in one report.
 */
import { mergeMap, type OperatorFunction } from 'rxjs';
import { type FrameOf, frameOf, type Value } from '../../runtime/contract/stage.js';
import { unknownItems } from '../model.js';
import type { UnknownItems } from '../state/unknown-items.js';

export const reportUnknown = (unknown: Value<UnknownItems>): OperatorFunction<unknown, FrameOf<typeof unknownItems>> =>
  mergeMap(() => {
    const items = unknown.get();
    if (items.size === 0) return [];
    unknown.set(new Map());
    return [
      frameOf(
        unknownItems,
        [...items].map(([item, { events, timeMs }]) => ({ item, events, time: timeMs })),
      ),
    ];
  });
