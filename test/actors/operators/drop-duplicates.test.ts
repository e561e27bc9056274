import fc from 'fast-check';
import { of } from 'rxjs';
import { expect, it } from 'vitest';
import { dropDuplicates, type Identified, rowIds, seenIds } from '../../../actors/operators/drop-duplicates.js';
import { rowsOf } from '../../../runtime/frames/frame.js';
import { frameOf, frameType } from '../../../runtime/contract/stage.js';

const letters = frameType('letter', { letter: 'text', row: 'f64' });

/** Rows whose ids are the letters of a text; `-` has none. */
const rowsWith = (text: string): Identified => ({
  rows: frameOf(
    letters,
    [...text].map((letter, row) => ({ letter, row })),
  ),
  ids: /[^-]/.test(text)
    ? frameOf(
        rowIds,
        [...text].map((letter) => (letter === '-' ? {} : { id: letter })),
      )
    : undefined,
});

/** Two sets; the young one becomes the old one before the next id once it is full. */
function plain(ids: readonly string[], half: number): boolean[] {
  let [old, young] = [new Set<string>(), new Set<string>()];
  return ids.map((id) => {
    if (young.size >= half) [old, young] = [young, new Set()];
    if (id === '-') return true;
    const isNew = !old.has(id) && !young.has(id);
    if (isNew) young.add(id);
    return isNew;
  });
}

it('is what two plain sets do, however the rows are framed, and holds no more than idsMax ids', () => {
  const ids = fc.array(fc.constantFrom(...'abcdefgh-'), { maxLength: 60 });
  fc.assert(
    fc.property(
      ids,
      fc.integer({ min: 2, max: 12 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      (text, idsMax, sizes) => {
        const seen = seenIds().create();
        const passed: number[] = [];
        const one = dropDuplicates([seen], idsMax, ({ rows }) => new Uint8Array(rows));
        for (let start = 0, i = 0; start < text.length; i++) {
          const size = sizes[i % sizes.length]!;
          const piece = text.slice(start, start + size).join('');
          const offset = start;
          one(of(rowsWith(piece))).subscribe(({ rows }) =>
            passed.push(...rowsOf(rows).map(({ row }) => offset + (row as number))),
          );
          start += size;
          expect(seen.keys).toBeLessThanOrEqual(idsMax);
        }
        const expected = plain(text, Math.floor(idsMax / 2)).flatMap((passes, at) => (passes ? [at] : []));
        expect(passed).toEqual(expected);
      },
    ),
    { numRuns: 500 },
  );
});

it('forgets the ids of one kind for those of that kind alone, and knows the ids of both', () => {
  const [live, past] = [seenIds().create(), seenIds().create()];
  const passing = (text: string, kinds: string): string => {
    const of = Uint8Array.from(kinds, Number);
    const letters: string[] = [];
    dropDuplicates(
      [live, past],
      4,
      () => of,
    )(one(text)).subscribe(({ rows }) => letters.push(...rowsOf(rows).map(({ letter }) => String(letter))));
    return letters.join('');
  };
  const one = (text: string) => of(rowsWith(text));
  expect(passing('abacb', '00110')).toBe('abc');
  // Many of the past, as many as make their memory forget c.
  expect(passing('defgh', '11111')).toBe('defgh');
  expect(passing('abc', '001')).toBe('c');
  expect(passing('hgc', '000')).toBe('');
});
