import fc from 'fast-check';
import { map, of } from 'rxjs';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
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

const textOfRows = ({ rows, duplicates }: { rows: Identified['rows']; duplicates: number }): string =>
  `${rowsOf(rows)
    .map(({ letter }) => letter)
    .join('')} ${duplicates}`;

/** The letters that pass and how many were dropped, per frame, of frames given at the marbles. */
function run(
  marbles: string,
  frames: Record<string, string>,
  expected: string,
  passes: Record<string, string>,
  idsMax: number,
): void {
  const scheduler = new TestScheduler((actual, wanted) => {
    expect(actual).toEqual(wanted);
  });
  scheduler.run(({ hot, expectObservable }) => {
    const source = hot(marbles, Object.fromEntries(Object.entries(frames).map(([key, text]) => [key, rowsWith(text)])));
    expectObservable(source.pipe(dropDuplicates(seenIds().create(), idsMax), map(textOfRows))).toBe(expected, passes);
  });
}

describe('dropDuplicates', () => {
  it('passes the first row of each id, and all without one', () => {
    run('a-b-c', { a: 'xyx', b: '-y-z', c: 'zz' }, 'A-B-C', { A: 'xy 1', B: '--z 1', C: ' 2' }, 100);
  });

  it('passes frames without ids as they are', () => {
    run('a-b', { a: '---', b: '' }, 'A-B', { A: '--- 0', B: ' 0' }, 2);
  });

  it('knows at least the last half of idsMax ids, and forgets a generation at a time', () => {
    // Generations of 3: {a b c} {d e …}; f fills the second, and the first is forgotten.
    const frames = { a: 'abcde', b: 'abcde', c: 'fa', d: 'ga', e: 'def' };
    run('a-b-c-d-e', frames, 'A-B-C-D-E', { A: 'abcde 0', B: ' 5', C: 'fa 0', D: 'g 1', E: ' 3' }, 6);
  });

  it('completes and errors with its source', () => {
    run('a-|', { a: 'x' }, 'A-|', { A: 'x 0' }, 4);
    run('a-#', { a: 'x' }, 'A-#', { A: 'x 0' }, 4);
  });
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
        const one = dropDuplicates(seen, idsMax);
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
