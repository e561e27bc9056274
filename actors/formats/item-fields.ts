/**
 * The fields of a catalogue item, and the names that publishers use for them; other names are ignored. To support another catalogue, add its names.
 *
 * With several names of one field, the first in this order that has a value counts; but two different ids are refused.
 */
export const ITEM_FIELDS = {
  item_id: ['item_id', 'itemId', 'product_id', 'productId', 'movie_id', 'movieId', 'parent_asin', 'asin', 'sku', 'id'],
  title: ['title', 'name', 'product_name', 'product_title'],
  category: ['category', 'category_code', 'main_category', 'main_category_code', 'genres'],
  brand: ['brand', 'main_brand', 'manufacturer', 'store'],
  price: ['price', 'avg_price'],
  tags: ['tags'],
  deleted: ['deleted'],
} as const;
export type ItemFieldName = keyof typeof ITEM_FIELDS;

export const ITEM_FIELD_NAMES = Object.keys(ITEM_FIELDS) as readonly ItemFieldName[];

/** The field for a name, and the index of the name among the field's names. */
export const ITEM_NAMES: ReadonlyMap<string, readonly [field: ItemFieldName, place: number]> = new Map(
  ITEM_FIELD_NAMES.flatMap((field) => ITEM_FIELDS[field].map((name, place) => [name, [field, place]] as const)),
);

/** Characters (code points) of a title, and of all tags; ids, categories and brands have at most NAME_BYTES_MAX bytes, as in events. */
export const TITLE_CHARACTERS_MAX = 500;
export const TAGS_CHARACTERS_MAX = 1_000;
