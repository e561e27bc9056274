/** The main categories seen so far, offered as choices. */
import { SharedValue } from './shared-value.js';

const CATEGORIES_MAX = 100;

export const knownCategories = new SharedValue<readonly string[]>([]);

export function noteCategories(items: readonly { readonly category?: string }[]): void {
  const known = knownCategories.value;
  const seen = items.flatMap(({ category }) => (category === undefined ? [] : category.split('.')[0]!));
  const fresh = [...new Set(seen)].filter((one) => one !== '' && !known.includes(one));
  if (fresh.length > 0) knownCategories.set([...known, ...fresh].slice(0, CATEGORIES_MAX).sort());
}
