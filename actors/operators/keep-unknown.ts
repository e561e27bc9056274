/**
 * keepUnknown(state): adds reports of unknown items to the list of them, the UNKNOWN_MAX that events were about last; emits nothing.
 *
 *   unknown  --a--b--|      a: 8 with 2 events    b: 8 with 1 event, 9 with 3 events
 *   result   --------|      8 with 3 events, 9 with 3 events
 *
 * An item that the catalogue has by now is left out: its report was on the way while it came.
 *
 * Law: the list depends on the reports and on the items before each, not on how reports are divided into frames, unless it is full.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { type FrameOf, type Keyed, textAt, type Value } from '../../runtime/contract/stage.js';
import { compareText } from '../maths/item-order.js';
import type { unknownItems } from '../model.js';
import { addSightings, type Sightings, UNKNOWN_MAX, type UnknownItems } from '../state/unknown-items.js';

type Unknown = FrameOf<typeof unknownItems>;

export interface UnknownState {
  readonly items: Pick<Keyed<unknown>, 'get'>;
  readonly unknown: Value<UnknownItems>;
}

export const keepUnknown =
  (state: UnknownState) =>
  (frames: Observable<Unknown>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        keep(frame, state);
      }),
      ignoreElements(),
    );

function keep({ rows, columns }: Unknown, { items, unknown }: UnknownState): void {
  const list = unknown.get();
  for (let row = 0; row < rows; row++) {
    const item = textAt(columns.item.dictionary, columns.item.codes[row]!);
    if (item === undefined || items.get(item) !== undefined) continue;
    addSightings(list, item, { events: columns.events[row]!, timeMs: columns.time[row]! });
  }
  for (const [item] of latestFirst(list).slice(UNKNOWN_MAX)) list.delete(item);
  unknown.set(list);
}

/** The latest event time first; of equal ones by item. */
export const latestFirst = (list: UnknownItems): [item: string, sightings: Readonly<Sightings>][] =>
  [...list].sort(([a, one], [b, other]) => other.timeMs - one.timeMs || compareText(a, b));
