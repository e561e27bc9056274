import fc from 'fast-check';
import { TestScheduler } from 'rxjs/testing';
import { describe, expect, it } from 'vitest';
import { listsOfCategory } from '../../../actors/maths/top-list.js';
import { topLists } from '../../../actors/model.js';
import { ALL, rememberLists } from '../../../actors/operators/remember-lists.js';
import { frameOf, keyed } from '../../../runtime/contract/stage.js';

type Entry = readonly [item: string | undefined, purchases?: number, itemCategory?: string | undefined];

const said = (category: string | undefined, origin: number, ...entries: Entry[]) =>
  entries.map(([item, purchases, itemCategory]) => ({ category, origin, item, purchases, itemCategory }));
const frame = (...lists: ReturnType<typeof said>[]) => frameOf(topLists, lists.flat());
const newCell = () => keyed(listsOfCategory).create();

function run(
  marbles: string,
  frames: Record<string, ReturnType<typeof frame>>,
  expected: string,
  keeps?: (category: string) => boolean,
) {
  const cell = newCell();
  new TestScheduler((actual, wanted) => {
    expect(actual).toEqual(wanted);
  }).run(({ hot, expectObservable }) => {
    expectObservable(hot(marbles, frames).pipe(rememberLists(cell, keeps))).toBe(expected);
  });
  return cell;
}

describe('rememberLists', () => {
  const of0 = said('kids', 0, ['1', 5, 'kids'], ['2', 3, 'kids']);
  const of1 = said('kids', 1, ['9', 4, 'kids']);
  const kept0 = { origin: 0, items: ['1', '2'], purchases: [5, 3], categories: ['kids', 'kids'] };
  const kept1 = { origin: 1, items: ['9'], purchases: [4], categories: ['kids'] };

  it('says nothing and keeps the list of each origin, by origin', () => {
    const cell = run('--b--a--|', { a: frame(of0), b: frame(of1) }, '--------|');
    expect(cell.get('kids')).toEqual([kept0, kept1]);
  });

  it('keeps the latest list of an origin, whole', () => {
    const cell = run(
      '--a--b--c--|',
      { a: frame(of0), b: frame(of1), c: frame(said('kids', 0, ['7', 9, 'kids'])) },
      '-----------|',
    );
    expect(cell.get('kids')).toEqual([{ origin: 0, items: ['7'], purchases: [9], categories: ['kids'] }, kept1]);
  });

  it('drops a list that is empty now', () => {
    const cell = run('--a--b--|', { a: frame(of0, of1), b: frame(said('kids', 0, [undefined])) }, '--------|');
    expect(cell.get('kids')).toEqual([kept1]);
  });

  it('keeps the list over all apart, with items without a category', () => {
    const overAll = said(undefined, 0, ['1', 5, 'kids'], ['3', 1]);
    const cell = run('--a--|', { a: frame(of0, overAll) }, '-----|');
    expect(cell.get(ALL)).toEqual([{ origin: 0, items: ['1', '3'], purchases: [5, 1], categories: ['kids', ''] }]);
    expect(cell.get('kids')).toEqual([kept0]);
  });

  it('leaves out what it is not to keep', () => {
    const cell = run(
      '--a--|',
      { a: frame(of0, said('auto', 0, ['8', 1, 'auto'])) },
      '-----|',
      (category) => category === 'auto',
    );
    expect([cell.get('kids'), cell.get('auto')]).toMatchObject([undefined, [{ items: ['8'] }]]);
  });

  it('does not change a list in place', () => {
    const cell = newCell();
    cell.set('kids', [kept1]);
    const before = cell.get('kids');
    run('a|', { a: frame(of0) }, '-|');
    expect(before).toEqual([kept1]);
  });

  it.each([
    ['says nothing of nothing', '-', '-'],
    ['ends with its source', '--|', '--|'],
    ['fails with its source', '--#', '--#'],
  ])('%s', (_, marbles, expected) => {
    run(marbles, {}, expected);
  });

  it('does not depend on how lists are put into frames', () => {
    const list = fc
      .record({
        category: fc.constantFrom(undefined, 'a', 'b'),
        origin: fc.nat({ max: 2 }),
        items: fc.array(fc.nat({ max: 9 }).map(String), { maxLength: 3 }),
      })
      .map(({ category, origin, items }) =>
        said(
          category,
          origin,
          ...(items.length === 0 ? [[undefined] as const] : items.map((item): Entry => [item, 1, category])),
        ),
      );
    fc.assert(
      fc.property(
        fc.array(list, { maxLength: 12 }),
        fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
        (lists, cuts) => {
          // Two lists of one category and origin in a row would look like one.
          const distinct = lists.filter(
            (one, i) =>
              i === 0 || one[0]!.category !== lists[i - 1]![0]!.category || one[0]!.origin !== lists[i - 1]![0]!.origin,
          );
          const [apart, together] = [newCell(), newCell()];
          const groups = distinct.reduce<(typeof distinct)[]>(
            (all, one, i) => (i === 0 || cuts[i] ? [...all, [one]] : [...all.slice(0, -1), [...all.at(-1)!, one]]),
            [],
          );
          new TestScheduler(() => undefined).run(({ cold, flush }) => {
            for (const one of distinct)
              cold('(a|)', { a: frame(one) })
                .pipe(rememberLists(apart))
                .subscribe();
            for (const group of groups)
              cold('(a|)', { a: frame(...group) })
                .pipe(rememberLists(together))
                .subscribe();
            flush();
          });
          for (const key of [ALL, 'a', 'b']) expect(together.get(key)).toEqual(apart.get(key));
        },
      ),
      { seed: 10, numRuns: 60 },
    );
  });
});
