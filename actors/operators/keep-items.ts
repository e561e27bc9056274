/**
 * keepItems(state): stores the latest entry of each item; counts the items, and their changes as the revision; an item that it has is not unknown any more.
 * Emits nothing.
 *
 *   items    --a--b--|      a: 7 "Headphones"    b: 7 "Headphones", 8 "Cable"
 *   result   --------|      after a: revision 1, 1 item    after b: revision 2, 2 items
 *
 * Law: the entries depend on the last row of each item alone; a row without a change does not change the revision.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { ABSENT, type FrameOf, type Keyed, textAt, type Value } from '../../runtime/contract/stage.js';
import type { catalogueItems } from '../model.js';
import type { UnknownItems } from '../state/unknown-items.js';

type Items = FrameOf<typeof catalogueItems>;

/** Unknown values are absent. */
export interface CatalogueEntry {
  readonly title?: string;
  readonly category?: string;
  readonly brand?: string;
  readonly price?: number;
  readonly tags?: string;
  /** When the log stored its latest change, epoch ms. */
  readonly updatedAtMs: number;
}

export interface CatalogueState {
  readonly items: Keyed<CatalogueEntry>;
  readonly revision: Value<number>;
  readonly count: Value<number>;
  readonly unknown: Value<UnknownItems>;
}

export const keepItems =
  (state: CatalogueState) =>
  (frames: Observable<Items>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        keep(frame, state);
      }),
      ignoreElements(),
    );

function keep(frame: Items, { items, revision, count, unknown }: CatalogueState): void {
  const { item, deleted } = frame.columns;
  for (let row = 0; row < frame.rows; row++) {
    const code = item.codes[row]!;
    if (code === ABSENT) continue;
    const id = textAt(item.dictionary, code)!;
    const before = items.get(id);
    const after = deleted[row] === 1 ? undefined : entryOf(frame, row);
    if (isSame(before, after)) continue;
    if (after === undefined) items.delete(id);
    else {
      items.set(id, after);
      if (unknown.get().delete(id)) unknown.set(unknown.get());
    }
    revision.set(revision.get() + 1);
    const more = Number(after !== undefined) - Number(before !== undefined);
    if (more !== 0) count.set(count.get() + more);
  }
}

function entryOf({ columns }: Items, row: number): CatalogueEntry {
  const [title, category, brand, tags] = [columns.title, columns.category, columns.brand, columns.tags].map(
    ({ codes, dictionary }) => textAt(dictionary, codes[row]!),
  );
  const price = columns.price[row]!;
  return {
    ...(title === undefined ? {} : { title }),
    ...(category === undefined ? {} : { category }),
    ...(brand === undefined ? {} : { brand }),
    ...(Number.isNaN(price) ? {} : { price }),
    ...(tags === undefined ? {} : { tags }),
    updatedAtMs: columns.updatedAt[row]!,
  };
}

/** Without the time. */
const isSame = (a: CatalogueEntry | undefined, b: CatalogueEntry | undefined): boolean =>
  a === b ||
  (a !== undefined &&
    b !== undefined &&
    a.title === b.title &&
    a.category === b.category &&
    a.brand === b.brand &&
    a.price === b.price &&
    a.tags === b.tags);
