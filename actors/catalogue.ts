/**
 * catalogue: the view in which the façade looks up what an item is called.
 *
 *   item(i) = what was said of i last      all of it: an item that is published again replaces what was known; a deleted one is forgotten
 *
 * It says nothing; `catalogueReader` reads its cells, synchronously, between two inputs. What changes nothing (a catalogue that is published again each
 * night) leaves the revision as it is, so that what was made of it stands.
 *
 * State    per item some hundred bytes, loaded when first asked for; the revision: how many items were changed, one after the other.
 * Restart  restored with the snapshot; items that arrived since are replayed from the mailbox.
 */
import { ignoreElements, tap } from 'rxjs';
import {
  ABSENT,
  type FrameOf,
  input,
  json,
  type Keyed,
  keyed,
  stage,
  textAt,
  type Value,
  value,
} from '../runtime/contract/stage.js';
import { catalogueItems } from './model.js';

/** As it is kept; what is not known is absent. */
export interface CatalogueEntry {
  readonly title?: string;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
  /** When the log stored what was last new of it, epoch ms. */
  readonly updatedAtMs: number;
}

export interface CatalogueCells {
  readonly items: Keyed<CatalogueEntry>;
  readonly revision: Value<number>;
  readonly count: Value<number>;
}

/** Items that are kept in memory: some hundred bytes each, some 3 kB at most. */
const ITEMS_CACHED_MAX = 50_000;

const only = <T>([one]: readonly T[]): T => one!;

export const catalogue = () =>
  stage({
    id: 'catalogue',
    version: 1,
    key: 'whole',
    inputs: { items: input(catalogueItems) },
    outputs: {},
    state: {
      items: keyed(json<CatalogueEntry>(), { cachedMax: ITEMS_CACHED_MAX, law: 'key' }),
      revision: value(() => 0, undefined, only),
      count: value(() => 0, undefined, only),
    },
    pipeline: ({ inputs, state }) =>
      inputs.items.pipe(
        tap((frame) => {
          keep(frame, state);
        }),
        ignoreElements(),
      ),
  });

function keep(frame: FrameOf<typeof catalogueItems>, { items, revision, count }: CatalogueCells): void {
  const { item, deleted } = frame.columns;
  for (let row = 0; row < frame.rows; row++) {
    const code = item.codes[row]!;
    if (code === ABSENT) continue;
    const id = textAt(item.dictionary, code)!;
    const before = items.get(id);
    const after = deleted[row] === 1 ? undefined : entryOf(frame, row);
    if (isSame(before, after)) continue;
    if (after === undefined) items.delete(id);
    else items.set(id, after);
    revision.set(revision.get() + 1);
    const more = Number(after !== undefined) - Number(before !== undefined);
    if (more !== 0) count.set(count.get() + more);
  }
}

function entryOf({ columns }: FrameOf<typeof catalogueItems>, row: number): CatalogueEntry {
  const [title, category, brand] = [columns.title, columns.category, columns.brand].map(({ codes, dictionary }) =>
    textAt(dictionary, codes[row]!),
  );
  const price = columns.price[row]!;
  return {
    ...(title === undefined ? {} : { title }),
    ...(category === undefined ? {} : { category }),
    ...(brand === undefined ? {} : { brand }),
    ...(Number.isNaN(price) ? {} : { price }),
    updatedAtMs: columns.updatedAt[row]!,
  };
}

/** But for when it was said. */
const isSame = (a: CatalogueEntry | undefined, b: CatalogueEntry | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.title === b.title &&
    a.category === b.category &&
    a.brand === b.brand &&
    a.price === b.price);

export interface CatalogueReader {
  get(item: string): CatalogueEntry | undefined;
  /** The same for as long as no item has changed, and on all nodes; 0: none was ever known. */
  revision(): number;
  /** How many items are known. */
  count(): number;
}

/** Reads the cells of the one instance. */
export const catalogueReader = ({ items, revision, count }: CatalogueCells): CatalogueReader => ({
  get: (item) => items.get(item),
  revision: () => revision.get(),
  count: () => count.get(),
});
