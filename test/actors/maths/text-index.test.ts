import fc from 'fast-check';
import { expect, it } from 'vitest';
import { TextIndex } from '../../../actors/maths/text-index.js';
import { DictionaryBuilder } from '../../../runtime/stage.js';

it('knows the texts of its dictionary, and no others', () => {
  const texts = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { maxLength: 200 });
  fc.assert(
    fc.property(texts, texts, (inside, asked) => {
      const own = new DictionaryBuilder();
      for (const text of inside) own.addText(text);
      const index = new TextIndex(own);
      const other = new DictionaryBuilder();
      for (const text of asked) expect(index.has(other, other.addText(text))).toBe(inside.includes(text));
    }),
  );
});
