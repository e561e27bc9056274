/**
 * keepCategories(state): stores the latest categories of each item of the catalogue; emits nothing.
 *
 *   items    --a--b--|      a: 7 of Drama|War, 8 without a category    b: 7 deleted
 *   result   --------|      after a: 7 → 'Drama|War', 8 → ''    after b: 8 → ''
 *
 * Law: the state depends on the last row of each item alone.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { type FrameOf, textAt } from '../../runtime/contract/stage.js';
import type { catalogueItems } from '../model.js';
import type { CategoriesOfItems } from '../state/categories-of-items.js';

type Items = FrameOf<typeof catalogueItems>;

export const keepCategories =
  (state: CategoriesOfItems) =>
  (frames: Observable<Items>): Observable<never> =>
    frames.pipe(
      tap((frame) => {
        keep(frame, state);
      }),
      ignoreElements(),
    );

function keep({ rows, columns }: Items, { categories, items }: CategoriesOfItems): void {
  const { item, category, deleted } = columns;
  let count = items.get();
  for (let row = 0; row < rows; row++) {
    const id = textAt(item.dictionary, item.codes[row]!);
    if (id === undefined) continue;
    const before = categories.get(id);
    const after = deleted[row] === 1 ? undefined : (textAt(category.dictionary, category.codes[row]!) ?? '');
    if (after === before) continue;
    if (after === undefined) categories.delete(id);
    else categories.set(id, after);
    count += Number(after !== undefined) - Number(before !== undefined);
  }
  if (count !== items.get()) items.set(count);
}
