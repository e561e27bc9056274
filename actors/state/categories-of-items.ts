/** The categories of the catalogue's items, as text; empty for an item without any. */
import { type Codec, type Keyed, keyed, textOf, utf8, type Value, value } from '../../runtime/contract/stage.js';

const text: Codec<string> = { encode: utf8, decode: (bytes) => textOf(bytes) };
const only = <T>([one]: readonly T[]): T => one!;

export interface CategoriesOfItems {
  readonly categories: Keyed<string>;
  /** The number of items. */
  readonly items: Value<number>;
}

/** The same in all partitions. */
export const categoriesOfItems = () => ({
  categories: keyed(text, { rescale: (categories) => categories }),
  items: value(() => 0, undefined, only),
});
