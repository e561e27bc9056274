/**
 * main-category: the top level of each category of an item.
 *
 *   categories(x) = the parts of x between `|`, without spaces around them, distinct, in order; `(no genres listed)`, as MovieLens writes it, is none
 *   mains(x)      = of each category the text before its first dot, distinct, in order, joined by `|`
 *
 *   mains('electronics.audio') = 'electronics'      mains('Drama|Sci-Fi') = 'Drama|Sci-Fi'
 *
 * What an item with k main categories counts for in each of them: in interests 1/k of an event, so that they sum to the event; in popularity and
 * trending the whole, since each of them is a list of its own.
 */
import {
  ABSENT,
  type Dictionary,
  DictionaryBuilder,
  entryStart,
  type TextColumn,
  textOf,
} from '../../runtime/contract/stage.js';

export const BETWEEN_CATEGORIES = '|';
const NO_CATEGORY = '(no genres listed)';
const DOT = 0x2e;
const BAR = 0x7c;
const PARENTHESIS = 0x28;

const isOne = (text: string): boolean => text !== NO_CATEGORY && !text.includes(BETWEEN_CATEGORIES);

/** `categories(x)`, joined; one category is unchanged. `undefined`: there is none. */
export function categoriesText(text: string | undefined): string | undefined {
  if (text === undefined || isOne(text)) return text;
  const categories = new Set(text.split(BETWEEN_CATEGORIES).map((part) => part.replace(/^ +| +$/g, '')));
  categories.delete('');
  categories.delete(NO_CATEGORY);
  return categories.size === 0 ? undefined : [...categories].join(BETWEEN_CATEGORIES);
}

const beforeDot = (category: string): string => category.split('.', 1)[0]!;

const mainsIn = (text: string): string => {
  const mains = new Set((categoriesText(text) ?? '').split(BETWEEN_CATEGORIES).map(beforeDot));
  mains.delete('');
  return [...mains].join(BETWEEN_CATEGORIES);
};

/** Of the usual text, which is one category, the end of its main one; -1 for any other. */
function endOfMain({ bytes }: Dictionary, start: number, end: number): number {
  if (bytes[start] === PARENTHESIS) return -1;
  let main = end;
  for (let at = end - 1; at >= start; at--) {
    if (bytes[at] === BAR) return -1;
    if (bytes[at] === DOT) main = at;
  }
  return main;
}

/** A column of categories as the column of mains; each distinct category is processed once. */
export function mainCategoryColumn({ codes, dictionary }: TextColumn): TextColumn {
  const mains = new DictionaryBuilder();
  const mainOf = new Uint32Array(dictionary.size);
  for (let code = 1; code < mainOf.length; code++) {
    const [start, end] = [entryStart(dictionary, code), dictionary.ends[code]!];
    const main = endOfMain(dictionary, start, end);
    mainOf[code] =
      main < 0
        ? mains.addText(mainsIn(textOf(dictionary.bytes, start, end)))
        : mains.add(dictionary.bytes, start, main);
  }
  return { codes: codes.map((code) => mainOf[code]!), dictionary: mains.view() };
}

/** Rows, once for each of their main categories. */
export interface CategoryShares {
  readonly category: TextColumn;
  /** Which row it is, and 1/k; absent when no row has several. */
  readonly several: { readonly rows: Uint32Array; readonly shares: Float64Array } | undefined;
}

export function sharedByMainCategory(categories: TextColumn): CategoryShares {
  const joined = mainCategoryColumn(categories);
  const { codes, dictionary } = joined;
  if (!dictionary.bytes.includes(BAR)) return { category: joined, several: undefined };
  const mains = new DictionaryBuilder();
  const mainsOf = Array.from({ length: dictionary.size }, (_, code) =>
    code === ABSENT ? [ABSENT] : mainsAt(dictionary, code).map((main) => mains.addText(main)),
  );
  const count = codes.reduce((sum, code) => sum + mainsOf[code]!.length, 0);
  const category = { codes: new Uint32Array(count), dictionary: mains.view() };
  const several = { rows: new Uint32Array(count), shares: new Float64Array(count) };
  let at = 0;
  codes.forEach((code, row) => {
    const own = mainsOf[code]!;
    for (const main of own) {
      category.codes[at] = main;
      several.rows[at] = row;
      several.shares[at++] = 1 / own.length;
    }
  });
  return { category, several };
}

const mainsAt = (dictionary: Dictionary, code: number): string[] =>
  textOf(dictionary.bytes, entryStart(dictionary, code), dictionary.ends[code]!).split(BETWEEN_CATEGORIES);
