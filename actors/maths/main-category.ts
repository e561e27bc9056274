/**
 * main-category: the top level of a category.
 *
 *   main(c) = the text of c before its first dot        main('electronics.audio') = 'electronics'
 */
import { type Dictionary, DictionaryBuilder, entryStart, type TextColumn } from '../../runtime/contract/stage.js';

const DOT = 0x2e;

/** The main category of each category of a dictionary, as codes into a dictionary of main categories. */
function mainCategories(categories: Dictionary): TextColumn {
  const mains = new DictionaryBuilder();
  const codes = new Uint32Array(categories.size);
  for (let code = 1; code < codes.length; code++) {
    const start = entryStart(categories, code);
    const end = categories.ends[code]!;
    let dot = start;
    while (dot < end && categories.bytes[dot] !== DOT) dot++;
    codes[code] = mains.add(categories.bytes, start, dot);
  }
  return { codes, dictionary: mains.view() };
}

/** A column of categories as the column of their main categories; each distinct category is processed once. */
export function mainCategoryColumn({ codes, dictionary }: TextColumn): TextColumn {
  const mains = mainCategories(dictionary);
  const mapped = new Uint32Array(codes.length);
  for (let row = 0; row < mapped.length; row++) mapped[row] = mains.codes[codes[row]!]!;
  return { codes: mapped, dictionary: mains.dictionary };
}
