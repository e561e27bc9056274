/**
 * fillCategories(state): an event without a category gets its item's.
 *
 *   catalogue   7 → 'Drama|War'
 *   events      --a--|      a: 7 without a category, 7 of Comedy, 8 without a category
 *   result      --x--|      x: 7 of Drama|War, 7 of Comedy, 8 without a category
 *
 * Each distinct item of a frame is looked up once; while there is no catalogue, nothing is.
 *
 * Law: an event depends on what the catalogue says of its item when it passes, not on the other events of the frame.
 */
import { map, type MonoTypeOperatorFunction } from 'rxjs';
import { ABSENT, CodeMap, DictionaryBuilder, type FrameOf, textAt } from '../../runtime/contract/stage.js';
import type { parsedEvents } from '../model.js';
import type { CategoriesOfItems } from '../state/categories-of-items.js';

type Parsed = FrameOf<typeof parsedEvents>;

export const fillCategories = (state: CategoriesOfItems): MonoTypeOperatorFunction<Parsed> =>
  map((frame) => (state.items.get() === 0 ? frame : filled(frame, state)));

function filled(frame: Parsed, { categories }: CategoriesOfItems): Parsed {
  const { item, category } = frame.columns;
  const dictionary = new DictionaryBuilder();
  const own = new CodeMap(category.dictionary, dictionary);
  const codes = new Uint32Array(frame.rows);
  /** By code of the item: the code of its categories, plus 1; 0 before it is looked up. */
  const known = new Uint32Array(item.dictionary.size);
  let more = false;
  for (let row = 0; row < frame.rows; row++) {
    const [given, of] = [category.codes[row]!, item.codes[row]!];
    if (given !== ABSENT) codes[row] = own.get(given);
    else if (of !== ABSENT) {
      if (known[of] === 0) known[of] = 1 + dictionary.addText(categories.get(textAt(item.dictionary, of)!));
      codes[row] = known[of]! - 1;
      more ||= codes[row] !== ABSENT;
    }
  }
  if (!more) return frame;
  return { ...frame, columns: { ...frame.columns, category: { codes, dictionary: dictionary.view() } } };
}
