/**
 * fillCategories(state, onUnknown): an event without a category gets its item's; events whose item the catalogue does not have are counted.
 *
 *   catalogue   7 → 'Drama|War'
 *   events      --a--|      a: 7 without a category, 7 of Comedy, 8 without a category
 *   result      --x--|      x: 7 of Drama|War, 7 of Comedy, 8 without a category; unknown: 8
 *
 * Each distinct item of a frame is looked up once; while there is no catalogue, nothing is. Unknown items are remembered until they are reported, at most
 * UNKNOWN_MAX of them: of further ones the events are only counted.
 *
 * Law: an event depends on what the catalogue says of its item when it passes, not on the other events of the frame.
 */
import { map, type MonoTypeOperatorFunction } from 'rxjs';
import { ABSENT, CodeMap, DictionaryBuilder, type FrameOf, textAt, type Value } from '../../runtime/contract/stage.js';
import type { parsedEvents } from '../model.js';
import type { CategoriesOfItems } from '../state/categories-of-items.js';
import { addSightings, type Sightings, UNKNOWN_MAX, type UnknownItems } from '../state/unknown-items.js';

type Parsed = FrameOf<typeof parsedEvents>;

export interface KnownItems extends CategoriesOfItems {
  readonly unknown: Value<UnknownItems>;
}

export const fillCategories = (
  state: KnownItems,
  onUnknown: (events: number) => void,
): MonoTypeOperatorFunction<Parsed> =>
  map((frame) => {
    if (state.items.get() === 0) return frame;
    const categories = new ItemsOfFrame(frame, state);
    const filled = categories.filled();
    onUnknown(categories.rememberUnknown());
    return filled;
  });

/** By code of an item: not looked up yet; not in the catalogue; otherwise the code of its categories above this. */
const [UNSEEN, UNKNOWN, KNOWN] = [0, 1, 2];

/** What the catalogue has of the items of a frame. */
class ItemsOfFrame {
  private readonly found: Uint32Array;
  private readonly dictionary = new DictionaryBuilder();

  constructor(
    private readonly frame: Parsed,
    private readonly state: KnownItems,
  ) {
    this.found = new Uint32Array(frame.columns.item.dictionary.size);
  }

  /** The frame with categories; the same one if no event gets any. */
  filled(): Parsed {
    const { frame, dictionary } = this;
    const { item, category } = frame.columns;
    const own = new CodeMap(category.dictionary, dictionary);
    const codes = new Uint32Array(frame.rows);
    let more = false;
    for (let row = 0; row < frame.rows; row++) {
      const given = category.codes[row]!;
      const found = this.lookUp(item.codes[row]!);
      if (given !== ABSENT) codes[row] = own.get(given);
      else if (found > KNOWN) {
        codes[row] = found - KNOWN;
        more = true;
      }
    }
    if (!more) return frame;
    return { ...frame, columns: { ...frame.columns, category: { codes, dictionary: dictionary.view() } } };
  }

  /** After all are looked up; the number of events with an unknown item. */
  rememberUnknown(): number {
    const { frame, found } = this;
    if (!found.includes(UNKNOWN)) return 0;
    const { item, time } = frame.columns;
    const seen = new Map<number, Sightings>();
    let events = 0;
    for (let row = 0; row < frame.rows; row++) {
      const code = item.codes[row]!;
      if (code === ABSENT || found[code] !== UNKNOWN) continue;
      events++;
      addSightings(seen, code, { events: 1, timeMs: time[row]! });
    }
    const unknown = this.state.unknown.get();
    for (const [code, sightings] of seen) {
      const id = textAt(item.dictionary, code)!;
      if (unknown.size < UNKNOWN_MAX || unknown.has(id)) addSightings(unknown, id, sightings);
    }
    this.state.unknown.set(unknown);
    return events;
  }

  private lookUp(code: number): number {
    if (code === ABSENT) return UNKNOWN;
    const known = this.found[code]!;
    if (known !== UNSEEN) return known;
    const categories = this.state.categories.get(textAt(this.frame.columns.item.dictionary, code)!);
    return (this.found[code] = categories === undefined ? UNKNOWN : KNOWN + this.dictionary.addText(categories));
  }
}
