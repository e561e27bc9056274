import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareItems } from '../../actors/maths/item-order.js';
import { PURCHASE, VIEW } from '../../actors/model.js';
import { CATEGORIES_MAX } from '../../actors/state/item-totals.js';
import { popularity, type PopularityOptions } from '../../actors/popularity.js';
import { StageDriver } from '../support/stage-driver.js';
import { cutsOf, feed, framesOf, play, playWithCrashes, rowsSaid, type Saying, type Step } from './script.js';

interface Event {
  readonly item: string;
  readonly type: number;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
  readonly time: number;
}

const bought = (item: string, category?: string, time = 0): Event => ({ item, type: PURCHASE, category, time });
const live = (more: Partial<PopularityOptions> = {}) => popularity({ from: 'events', aligned: false, ...more });
const loaded = (more: Partial<PopularityOptions> = {}) => popularity({ from: 'table', aligned: true, ...more });
const END: Step = { end: true };

/** Lists as `category: item×purchases[itemCategory] …`. */
function listsOf(said: readonly Saying[]): string[] {
  const lists: [string, string[]][] = [];
  for (const r of rowsSaid(said, 'lists')) {
    const category = String(r['category'] ?? '*');
    if (lists.at(-1)?.[0] !== category) lists.push([category, []]);
    if (r['item'] !== undefined) lists.at(-1)![1].push(`${r['item']}×${r['purchases']}[${r['itemCategory'] ?? ''}]`);
  }
  return lists.map(([category, items]) => `${category}: ${items.join(' ')}`);
}

describe('from events, by hand', () => {
  it('lists what was bought, per main category and over all', () => {
    const events = [
      bought('2', 'kids.toys'),
      bought('10', 'auto'),
      bought('2', 'kids'),
      { ...bought('3', 'kids'), type: VIEW },
      bought('9', undefined),
      bought('1', 'kids.x'),
    ];
    const said = play(live(), [{ feed: 'purchases', rows: events }]);
    expect(listsOf(said)).toEqual([
      '*: 2×2[kids] 1×1[kids] 9×1[] 10×1[auto]',
      'kids: 2×2[kids] 1×1[kids]',
      'auto: 10×1[auto]',
    ]);
  });

  it('says which instance it is', () => {
    const driver = new StageDriver(live(), 3);
    expect(feed(driver, 'purchases', [bought('1', 'kids')]).rows['lists']!.map((r) => r['origin'])).toEqual([3, 3]);
  });

  it('says what changed at once while few items are known, then at ticks', () => {
    const nine = Array.from({ length: 9 }, (_, i) => bought(`${i}`, 'kids'));
    const said = play(live(), [
      { feed: 'purchases', rows: nine },
      { feed: 'purchases', rows: [bought('10', 'auto')] },
      { feed: 'purchases', rows: [bought('11', 'auto')] },
      { end: true },
      { tick: 1 },
      { tick: 2 },
    ]);
    expect(said.map((saying) => listsOf([saying]).length)).toEqual([2, 2, 0, 0, 2, 0]);
  });

  it('says only lists that look different', () => {
    const said = play(live({ listSize: 1 }), [
      { feed: 'purchases', rows: [bought('a', 'kids'), bought('a', 'kids'), bought('b', 'auto')] },
      { feed: 'purchases', rows: [bought('c', 'kids')] },
      { feed: 'purchases', rows: [bought('b', 'auto')] },
    ]);
    expect(said.map((saying) => listsOf([saying]))).toEqual([
      ['*: a×2[kids]', 'kids: a×2[kids]', 'auto: b×1[auto]'],
      [],
      ['auto: b×2[auto]'],
    ]);
  });

  it('moves an item to the category of its latest purchase that had one', () => {
    const said = play(live(), [
      { feed: 'purchases', rows: [bought('a', 'kids', 5)] },
      { feed: 'purchases', rows: [bought('a', 'auto', 4), bought('a', undefined, 9)] },
      { feed: 'purchases', rows: [bought('a', 'auto', 6)] },
    ]);
    expect(said.map((saying) => listsOf([saying]))).toEqual([
      ['*: a×1[kids]', 'kids: a×1[kids]'],
      ['*: a×3[kids]', 'kids: a×3[kids]'],
      ['*: a×4[auto]', 'kids: ', 'auto: a×4[auto]'],
    ]);
  });

  it('lets the next best follow when an item leaves a full list', () => {
    const said = play(live({ listSize: 2 }), [
      { feed: 'purchases', rows: ['a', 'a', 'a', 'b', 'b', 'c'].map((item) => bought(item, 'kids')) },
      { feed: 'purchases', rows: [bought('a', 'auto', 1)] },
    ]);
    expect(listsOf([said[1]!])).toEqual(['*: a×4[auto] b×2[kids]', 'kids: b×2[kids] c×1[kids]', 'auto: a×4[auto]']);
  });

  it('lists items of categories beyond the bound over all only', () => {
    const rows = Array.from({ length: CATEGORIES_MAX + 2 }, (_, i) => bought(`${i}`, `c${i}`));
    const lists = listsOf(play(live(), [{ feed: 'purchases', rows: [...rows, bought(`${CATEGORIES_MAX}`, 'more')] }]));
    expect(lists).toHaveLength(CATEGORIES_MAX + 1);
    expect(lists[0]).toMatch(new RegExp(`^\\*: ${CATEGORIES_MAX}×2\\[\\] 0×1\\[c0\\] `));
  });

  it('ignores a table', () => {
    expect(play(live(), [{ feed: 'table', rows: [{ item: '1', purchases: 5 }] }, { tick: 1 }])).toEqual([{}, {}]);
  });
});

describe('from a table, by hand', () => {
  const rows = [
    { item: '7', purchases: 3, category: 'kids.toys' },
    { item: '5', purchases: 4 },
    { item: '6', purchases: 0, category: 'kids.toys' },
    { item: '8', purchases: undefined, category: 'kids.toys' },
    { item: '9', purchases: 3, category: 'kids.toys' },
  ];

  it('takes counts and categories as they stand, at the end of the epoch', () => {
    const said = play(loaded(), [...framesOf('table', rows, [2]), END, END]);
    expect(said.map((saying) => listsOf([saying]))).toEqual([
      [],
      [],
      [],
      ['*: 5×4[] 7×3[kids.toys] 9×3[kids.toys]', 'kids.toys: 7×3[kids.toys] 9×3[kids.toys]'],
      [],
    ]);
  });

  it('takes a later row of an item in place of an earlier one', () => {
    const said = play(loaded(), [
      { feed: 'table', rows },
      END,
      {
        feed: 'table',
        rows: [
          { item: '5', purchases: 1 },
          { item: '7', purchases: 0, category: 'kids.toys' },
        ],
      },
      END,
      { feed: 'table', rows: [{ item: '9', purchases: 0, category: 'kids.toys' }] },
      END,
    ]);
    expect(listsOf([said[3]!])).toEqual(['*: 9×3[kids.toys] 5×1[]', 'kids.toys: 9×3[kids.toys]']);
    expect(listsOf([said[5]!])).toEqual(['*: 5×1[]', 'kids.toys: ']);
  });

  it('ignores events', () => {
    expect(play(loaded(), [{ feed: 'purchases', rows: [bought('1')] }, END])).toEqual([{}, {}]);
  });
});

const event: fc.Arbitrary<Event> = fc.record({
  item: fc.constantFrom('1', '2', '10', '11', 'a', 'b', 'item', '99999999999999999999'),
  type: fc.constantFrom(PURCHASE, PURCHASE, PURCHASE, VIEW),
  category: fc.constantFrom(undefined, 'k', 'k.x', 'l', 'm.y'),
  brand: fc.constantFrom(undefined, 'x', 'y'),
  price: fc.constantFrom(undefined, 1.5, 2),
  time: fc.nat({ max: 5 }),
});
const events = fc.array(event, { maxLength: 40 });
const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });

/** The lists of these purchases, sorted from all of them. */
function oracle(all: readonly Event[], listSize: number): Map<string, string> {
  const purchases = all.filter(({ type }) => type === PURCHASE);
  const items = [...new Set(purchases.map(({ item }) => item))].map((item) => {
    const own = purchases.filter((one) => one.item === item);
    const [latest] = own
      .filter(({ category }) => category !== undefined)
      .map(({ category, time }) => ({ main: category!.split('.')[0]!, time }))
      .sort((a, b) => b.time - a.time || (a.main < b.main ? 1 : -1));
    return { item, count: own.length, category: latest?.main };
  });
  const best = [...items].sort((a, b) => b.count - a.count || compareItems(a.item, b.item));
  const text = (list: typeof items): string =>
    list
      .slice(0, listSize)
      .map(({ item, count, category }) => `${item}×${count}[${category ?? ''}]`)
      .join(' ');
  const lists = new Map(best.length === 0 ? [] : [['*', text(best)]]);
  for (const category of new Set(best.map((one) => one.category))) {
    if (category !== undefined) lists.set(category, text(best.filter((one) => one.category === category)));
  }
  return lists;
}

/** What a reader knows who keeps the last list of each category. */
function remembered(said: readonly Saying[]): Map<string, string> {
  const lists = said
    .flatMap((saying) => listsOf([saying]))
    .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)] as const);
  return new Map([...new Map(lists)].filter(([, items]) => items !== ''));
}

describe('popularity', () => {
  it.each([2, 100])('agrees with the oracle at list size %i, in frames of any size and at any order', (listSize) => {
    fc.assert(
      fc.property(
        events.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
        sizes,
        ([all, shuffled], frameSizes) => {
          const expected = oracle(all, listSize);
          const stage = popularity({ from: 'events', listSize, aligned: true });
          expect(remembered(play(stage, [...framesOf('purchases', shuffled, frameSizes), END]))).toEqual(expected);
          // Said in between, it comes to the same.
          const often = framesOf('purchases', all, frameSizes).flatMap((step) => [step, END]);
          expect(remembered(play(stage, often))).toEqual(expected);
        },
      ),
      { seed: 14, numRuns: 150 },
    );
  });

  it('partitioned by item, the lists of all origins together are the lists of one', () => {
    fc.assert(
      fc.property(events, (all) => {
        const stage = popularity({ from: 'events', aligned: true });
        const parts = [0, 1].map((p) => all.filter(({ item }) => item.length % 2 === p));
        const lines = parts.map((part) => remembered(play(stage, [{ feed: 'purchases', rows: part }, END])));
        const apart = lines.flatMap((lists) => (lists.get('*') ?? '').split(' ').filter((text) => text !== ''));
        expect(apart.sort()).toEqual((oracle(all, 100).get('*')?.split(' ') ?? []).sort());
      }),
      { seed: 15, numRuns: 60 },
    );
  });

  it('from a table agrees with a sort of the last row of each item', () => {
    const row = fc.record({
      item: fc.nat({ max: 12 }).map(String),
      purchases: fc.nat({ max: 4 }),
      category: fc.constantFrom(undefined, 'k', 'l'),
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 40 }), sizes, fc.boolean(), (rows, frameSizes, often) => {
        const last = [...new Map(rows.map((one) => [one.item, one])).values()].filter(({ purchases }) => purchases > 0);
        const asEvents = last.flatMap(({ item, purchases, category }) =>
          new Array<Event>(purchases).fill(bought(item, category)),
        );
        const steps = framesOf('table', rows, frameSizes).flatMap((step) => (often ? [step, END] : [step]));
        const said = play(loaded({ listSize: 3 }), [...steps, END]);
        expect(remembered(said)).toEqual(oracle(asEvents, 3));
      }),
      { seed: 16, numRuns: 150 },
    );
  });

  it.each([true, false])('says the same after crashes at any cut (aligned: %s)', (aligned) => {
    const script = fc
      .tuple(events, sizes, fc.array(fc.boolean(), { minLength: 1 }))
      .map(([all, frameSizes, ends]) =>
        framesOf('purchases', all, frameSizes).flatMap((step, i): Step[] =>
          ends[i % ends.length] ? [step, aligned ? END : { tick: i }] : [step],
        ),
      )
      .chain((steps) => fc.tuple(fc.constant(steps), cutsOf(steps.length)));
    fc.assert(
      fc.property(script, ([steps, cuts]) => {
        const stage = popularity({ from: 'events', listSize: 2, aligned });
        expect(playWithCrashes(stage, steps, cuts)).toEqual(play(stage, steps));
      }),
      { seed: 17, numRuns: 120 },
    );
  });

  it('counts what is delivered twice after a crash once', () => {
    const stage = loaded({ from: 'events' });
    const rows = ['a', 'a', 'b', 'c'].map((item) => bought(item, 'k'));
    const steps = [...framesOf('purchases', rows, [1]), END];
    const crashes = steps.map((_, at) => ({ at, kind: 'crash' }) as const);
    const cuts = [{ at: 1, kind: 'snapshot' } as const, ...crashes];
    expect(playWithCrashes(stage, steps, cuts)).toEqual(play(stage, steps));
  });
});

it('knows brand and mean price of what was bought', () => {
  const driver = new StageDriver(live());
  feed(driver, 'purchases', [
    { ...bought('1', 'kids', 3), brand: 'x', price: 2 },
    { ...bought('1', 'kids', 2), brand: 'y', price: 5 },
    bought('1', 'kids', 9),
  ]);
  const { items } = driver.instance.states() as unknown as {
    items: { table(key: number): { values: Record<string, Float64Array> } };
  };
  const { values } = items.table(0);
  expect([values['purchases']![0], values['priceSum']![0], values['priced']![0]]).toEqual([3, 7, 2]);
  expect([values['brand']![0], values['brandTime']![0]]).toEqual([1, 3]);
});
