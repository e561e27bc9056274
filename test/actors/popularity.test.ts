import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareItems } from '../../actors/maths/item-order.js';
import { codeOfType, type EventType, PURCHASE, VIEW } from '../../actors/model.js';
import { CATEGORIES_MAX, SETS_MAX } from '../../actors/state/item-categories.js';
import { popularity, type PopularityOptions } from '../../actors/popularity.js';
import type { PopularState } from '../../actors/state/popular-items.js';
import { StageDriver } from '../support/stage-driver.js';
import { cutsOf, feed, framesOf, play, playWithCrashes, rowsSaid, type Saying, type Step } from './script.js';
import { CLASSIC, WEIGHTED } from '../support/popularity-source.js';

interface Event {
  readonly item: string;
  readonly type: number;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
  readonly rating?: number | undefined;
  readonly time: number;
  readonly storedAt?: number | undefined;
}

interface Past {
  readonly item: string;
  readonly purchases: number;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

const bought = (item: string, category?: string, time = 0): Event => ({ item, type: PURCHASE, category, time });
const live = (more: Partial<PopularityOptions> = {}) => popularity({ source: CLASSIC, aligned: false, ...more });
const loaded = (more: Partial<PopularityOptions> = {}) =>
  popularity({ source: { from: 'table' }, aligned: true, ...more });
const weightedFading = (halfLifeMs: number) => popularity({ source: { ...WEIGHTED, halfLifeMs }, aligned: false });
const END: Step = { end: true };

/** Lists as `category: item×purchases[itemCategory] …`. */
function listsOf(said: readonly Saying[]): string[] {
  const lists: [string, string[]][] = [];
  for (const r of rowsSaid(said, 'lists')) {
    const category = String(r['category'] ?? '*');
    if (lists.at(-1)?.[0] !== category) lists.push([category, []]);
    if (r['item'] !== undefined) lists.at(-1)![1].push(`${r['item']}×${r['popularity']}[${r['itemCategory'] ?? ''}]`);
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
    const said = play(live(), [{ feed: 'events', rows: events }]);
    expect(listsOf(said)).toEqual([
      '*: 2×2[kids] 1×1[kids] 9×1[] 10×1[auto]',
      'kids: 2×2[kids] 1×1[kids]',
      'auto: 10×1[auto]',
    ]);
  });

  it('says which instance it is', () => {
    const driver = new StageDriver(live(), 3);
    expect(feed(driver, 'events', [bought('1', 'kids')]).rows['lists']!.map((r) => r['origin'])).toEqual([3, 3]);
  });

  it('says what changed at once while few items are known, then at ticks', () => {
    const nine = Array.from({ length: 9 }, (_, i) => bought(`${i}`, 'kids'));
    const said = play(live(), [
      { feed: 'events', rows: nine },
      { feed: 'events', rows: [bought('10', 'auto')] },
      { feed: 'events', rows: [bought('11', 'auto')] },
      { end: true },
      { tick: 1 },
      { tick: 2 },
    ]);
    expect(said.map((saying) => listsOf([saying]).length)).toEqual([2, 2, 0, 0, 2, 0]);
  });

  it('says what changed at once when nothing had changed at the last tick, and the rest at the next', () => {
    const eleven = Array.from({ length: 11 }, (_, i) => bought(`${i}`, 'kids'));
    const said = play(live(), [
      { feed: 'events', rows: eleven },
      { tick: 1 },
      { feed: 'events', rows: [bought('12', 'auto')] },
      { tick: 2 },
      { tick: 3 },
      { feed: 'events', rows: [bought('13', 'auto')] },
      { feed: 'events', rows: [bought('14', 'auto')] },
      { tick: 4 },
    ]);
    expect(said.map((saying) => listsOf([saying]).length)).toEqual([2, 0, 2, 0, 0, 2, 0, 2]);
  });

  it('says what changed at once also when events before it changed no list', () => {
    const few = Array.from({ length: 11 }, (_, i) => [bought(`${i}`, 'kids'), bought(`${i}`, 'kids')]).flat();
    const said = play(live({ listSize: 1 }), [
      { feed: 'events', rows: few },
      { tick: 1 },
      { feed: 'events', rows: [bought('12', 'kids')] },
      { feed: 'events', rows: [bought('13', 'auto')] },
    ]);
    expect(said.map((saying) => listsOf([saying]).length).slice(1)).toEqual([0, 0, 1]);
  });

  it('says only lists that look different', () => {
    const said = play(live({ listSize: 1 }), [
      { feed: 'events', rows: [bought('a', 'kids'), bought('a', 'kids'), bought('b', 'auto')] },
      { feed: 'events', rows: [bought('c', 'kids')] },
      { feed: 'events', rows: [bought('b', 'auto')] },
    ]);
    expect(said.map((saying) => listsOf([saying]))).toEqual([
      ['*: a×2[kids]', 'kids: a×2[kids]', 'auto: b×1[auto]'],
      [],
      ['auto: b×2[auto]'],
    ]);
  });

  it('moves an item to the category of its latest purchase that had one', () => {
    const said = play(live(), [
      { feed: 'events', rows: [bought('a', 'kids', 5)] },
      { feed: 'events', rows: [bought('a', 'auto', 4), bought('a', undefined, 9)] },
      { feed: 'events', rows: [bought('a', 'auto', 6)] },
    ]);
    expect(said.map((saying) => listsOf([saying]))).toEqual([
      ['*: a×1[kids]', 'kids: a×1[kids]'],
      ['*: a×3[kids]', 'kids: a×3[kids]'],
      ['*: a×4[auto]', 'kids: ', 'auto: a×4[auto]'],
    ]);
  });

  it('lets the next best follow when an item leaves a full list', () => {
    const said = play(live({ listSize: 2 }), [
      { feed: 'events', rows: ['a', 'a', 'a', 'b', 'b', 'c'].map((item) => bought(item, 'kids')) },
      { feed: 'events', rows: [bought('a', 'auto', 1)] },
    ]);
    expect(listsOf([said[1]!])).toEqual(['*: a×4[auto] b×2[kids]', 'kids: b×2[kids] c×1[kids]', 'auto: a×4[auto]']);
  });

  it('lists items of categories beyond the bound over all only', () => {
    const rows = Array.from({ length: CATEGORIES_MAX + 2 }, (_, i) => bought(`${i}`, `c${i}`));
    const lists = listsOf(play(live(), [{ feed: 'events', rows: [...rows, bought(`${CATEGORIES_MAX}`, 'more')] }]));
    expect(lists).toHaveLength(CATEGORIES_MAX + 1);
    expect(lists[0]).toMatch(new RegExp(`^\\*: ${CATEGORIES_MAX}×2\\[\\] 0×1\\[c0\\] `));
  });

  it('lists an item of several main categories in each of them, and once over all', () => {
    const said = play(live(), [
      { feed: 'events', rows: [bought('a', 'Drama|War'), bought('a', 'Drama|War'), bought('b', 'War')] },
      { feed: 'events', rows: [bought('a', 'War|Comedy', 1)] },
    ]);
    expect(said.map((saying) => listsOf([saying]))).toEqual([
      ['*: a×2[Drama] b×1[War]', 'Drama: a×2[Drama]', 'War: a×2[War] b×1[War]'],
      ['*: a×3[War] b×1[War]', 'Drama: ', 'War: a×3[War] b×1[War]', 'Comedy: a×3[Comedy]'],
    ]);
  });

  it('of combinations beyond the bound lists items in the first of their categories', () => {
    const side = Math.ceil(Math.sqrt(SETS_MAX));
    const rows = Array.from({ length: side * side }, (_, i) => bought(`${i}`, `a${Math.floor(i / side)}|b${i % side}`));
    const lists = listsOf(play(live(), [{ feed: 'events', rows: [...rows, bought('last', 'a0|b0|c')] }]));
    const lengthOf = (name: string): number =>
      lists.find((list) => list.startsWith(`${name}: `))!.split(' ').length - 1;
    expect([lengthOf('a0'), lengthOf('b0')]).toEqual([100, 100]);
    expect(lists.find((list) => list.startsWith('c: '))).toBeUndefined();
  });

  it('an item of a snapshot from before popularity could fade counts, and fades from the first event on', () => {
    const driver = new StageDriver(weightedFading(1_000));
    feed(driver, 'events', [bought('old', 'kids', 0), bought('old', 'kids', 0)]);
    const { items, asOf } = driver.instance.states() as unknown as PopularState;
    items.table(0).values.time.fill(NaN);
    asOf.set(-Infinity);
    const later = feed(driver, 'events', [bought('new', 'kids', 500)]).rows['lists'] ?? [];
    expect(later.map((row) => [row['item'], row['popularity']])).toContainEqual(['old', 2]);
    const last = feed(driver, 'events', [bought('new', 'kids', 1_500)]).rows['lists'] ?? [];
    expect(last.map((row) => [row['item'], row['popularity']])).toContainEqual(['old', 1]);
  });
});

describe('by weight', () => {
  const did = (item: string, type: EventType, time = 0, more: Partial<Event> = {}): Event => ({
    ...{ item, type: codeOfType(type), category: 'drama', time },
    ...more,
  });
  const weighted = (more: Partial<typeof WEIGHTED> = {}) =>
    popularity({ source: { ...WEIGHTED, ...more }, aligned: true });

  it('a stream without purchases has lists; a rating below the threshold adds nothing', () => {
    const rows = [
      did('seen', 'view'),
      did('seen', 'view'),
      did('clicked', 'click'),
      did('liked', 'rating', 0, { rating: 3.5 }),
      did('disliked', 'rating', 0, { rating: 3 }),
      did('wanted', 'cart'),
      did('returned', 'remove_from_cart'),
    ];
    expect(listsOf(play(weighted(), [{ feed: 'events', rows }, END]))).toEqual([
      '*: liked×0.5[drama] wanted×0.2[drama] clicked×0.04[drama] seen×0.04[drama]',
      'drama: liked×0.5[drama] wanted×0.2[drama] clicked×0.04[drama] seen×0.04[drama]',
    ]);
  });

  it('sums do not depend on the order of events', () => {
    const rows = Array.from({ length: 300 }, (_, i) => did('a', (['view', 'click', 'cart'] as const)[i % 3]!));
    const total = (all: readonly Event[]) => listsOf(play(weighted(), [...framesOf('events', all, [7]), END]))[0];
    expect(total(rows)).toBe('*: a×26[drama]');
    expect(total([...rows].sort((a, b) => a.type - b.type))).toBe(total(rows));
  });

  it('half of it is left after the half-life, and what is in demand now overtakes what was', () => {
    const stage = weighted({ halfLifeMs: 1_000 });
    const old = Array.from({ length: 4 }, () => did('old', 'purchase', 0));
    const said = play(stage, [
      { feed: 'events', rows: [...old, did('new', 'purchase', 1_000)] },
      END,
      { feed: 'events', rows: [did('new', 'purchase', 3_000)] },
      END,
    ]);
    expect(said.map((saying) => listsOf([saying])[0])).toEqual([
      undefined,
      '*: old×2[drama] new×1[drama]',
      undefined,
      '*: new×1.25[drama] old×0.5[drama]',
    ]);
  });

  it('the lists of all categories follow when they have faded, also those without new events', () => {
    const stage = weighted({ halfLifeMs: 1_600 });
    const quiet = did('quiet', 'purchase', 0, { category: 'news' });
    const said = play(stage, [
      { feed: 'events', rows: [quiet, did('a', 'purchase', 0)] },
      END,
      { feed: 'events', rows: [did('a', 'purchase', 99)] },
      END,
      { feed: 'events', rows: [did('a', 'purchase', 1_600)] },
      END,
    ]);
    const ofNews = said.map((saying) => listsOf([saying]).find((list) => list.startsWith('news')));
    expect(ofNews.filter((_, i) => i % 2 === 1)).toEqual(['news: quiet×1[news]', undefined, 'news: quiet×0.5[news]']);
  });

  it('an event from the future counts as of when it was stored', () => {
    const stage = weighted({ halfLifeMs: 1_000 });
    const rows = [did('a', 'purchase', 0), did('b', 'purchase', 9_000, { storedAt: 1_000 })];
    expect(listsOf(play(stage, [{ feed: 'events', rows }, END]))[0]).toBe('*: b×1[drama] a×0.5[drama]');
  });

  it('after a restart with other weights all lists are published again, with what was counted before', () => {
    const rows = [did('a', 'purchase'), did('b', 'view')];
    const driver = new StageDriver(weighted());
    feed(driver, 'events', rows);
    driver.endEpoch();
    const other = driver.with(weighted({ weights: { ...WEIGHTED.weights, view: 2 } }));
    expect(other.endEpoch().rows['lists']).toHaveLength(4);
    expect(other.endEpoch().rows['lists'] ?? []).toHaveLength(0);
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
    expect(play(loaded(), [{ feed: 'events', rows: [bought('1')] }, END])).toEqual([{}, {}]);
  });
});

const event: fc.Arbitrary<Event> = fc.record({
  item: fc.constantFrom('1', '2', '10', '11', 'a', 'b', 'item', '99999999999999999999'),
  type: fc.constantFrom(PURCHASE, PURCHASE, PURCHASE, VIEW),
  category: fc.constantFrom(undefined, 'k', 'k.x', 'l', 'm.y', 'k|l.z', 'm|k|l'),
  brand: fc.constantFrom(undefined, 'x', 'y'),
  price: fc.constantFrom(undefined, 1.5, 2),
  time: fc.nat({ max: 5 }),
});
const events = fc.array(event, { maxLength: 40 });
const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 });

/** The lists of these purchases, sorted from all of them. */
function oracle(all: readonly Event[], listSize: number, past: readonly Past[] = []): Map<string, string> {
  const purchases = all.filter(({ type }) => type === PURCHASE);
  const items = [...new Set([...past, ...purchases].map(({ item }) => item))].map((item) => {
    const own = purchases.filter((one) => one.item === item);
    const given = past.find((one) => one.item === item);
    const [latest] = own
      .filter(({ category }) => category !== undefined)
      .map(({ category, time }) => ({
        main: category!
          .split('|')
          .map((one) => one.split('.')[0])
          .join('|'),
        time,
      }))
      .sort((a, b) => b.time - a.time || (a.main < b.main ? 1 : -1));
    const categories = latest?.main.split('|') ?? (given?.category === undefined ? [] : [given.category]);
    return { item, count: own.length + (given?.purchases ?? 0), categories };
  });
  const best = items.filter(({ count }) => count > 0).sort((a, b) => b.count - a.count || compareItems(a.item, b.item));
  const text = (list: typeof items, of?: string): string =>
    list
      .slice(0, listSize)
      .map(({ item, count, categories }) => `${item}×${count}[${of ?? categories[0] ?? ''}]`)
      .join(' ');
  const lists = new Map(best.length === 0 ? [] : [['*', text(best)]]);
  for (const category of new Set(best.flatMap(({ categories }) => categories))) {
    const own = best.filter(({ categories }) => categories.includes(category));
    lists.set(category, text(own, category));
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
          const stage = popularity({ source: CLASSIC, listSize, aligned: true });
          expect(remembered(play(stage, [...framesOf('events', shuffled, frameSizes), END]))).toEqual(expected);
          // Said in between, it comes to the same.
          const often = framesOf('events', all, frameSizes).flatMap((step) => [step, END]);
          expect(remembered(play(stage, often))).toEqual(expected);
        },
      ),
      { seed: 14, numRuns: 150 },
    );
  });

  it('partitioned by item, the lists of all origins together are the lists of one', () => {
    fc.assert(
      fc.property(events, (all) => {
        const stage = popularity({ source: CLASSIC, aligned: true });
        const parts = [0, 1].map((p) => all.filter(({ item }) => item.length % 2 === p));
        const lines = parts.map((part) => remembered(play(stage, [{ feed: 'events', rows: part }, END])));
        const apart = lines.flatMap((lists) => (lists.get('*') ?? '').split(' ').filter((text) => text !== ''));
        expect(apart.sort()).toEqual((oracle(all, 100).get('*')?.split(' ') ?? []).sort());
      }),
      { seed: 15, numRuns: 60 },
    );
  });

  it('in other partitions, the list of a category that its items left before the list was published again is empty', () => {
    const stage = live();
    const old = new StageDriver(stage);
    const items = Array.from({ length: 12 }, (_, i) => bought(`${i}`, 'kids'));
    feed(old, 'events', items);
    feed(
      old,
      'events',
      items.map(({ item }) => bought(item, 'auto', 1)),
    );
    const fresh = [0, 1, 2].map((q) => new StageDriver(stage, q));
    stage.repartition!([old.instance.states()] as never, fresh.map(({ instance }) => instance.states()) as never);
    for (const driver of fresh) expect(listsOf([driver.tick(2).rows])).toContain('kids: ');
  });

  it('from a table agrees with a sort of the last row of each item', () => {
    const row = fc.record({
      item: fc.nat({ max: 12 }).map(String),
      purchases: fc.nat({ max: 4 }),
      category: fc.constantFrom(undefined, 'k', 'l', 'k|l'),
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
        framesOf('events', all, frameSizes).flatMap((step, i): Step[] =>
          ends[i % ends.length] ? [step, aligned ? END : { tick: i }] : [step],
        ),
      )
      .chain((steps) => fc.tuple(fc.constant(steps), cutsOf(steps.length)));
    fc.assert(
      fc.property(script, ([steps, cuts]) => {
        const stage = popularity({ source: CLASSIC, listSize: 2, aligned });
        expect(playWithCrashes(stage, steps, cuts)).toEqual(play(stage, steps));
      }),
      { seed: 17, numRuns: 120 },
    );
  });

  it('counts what is delivered twice after a crash once', () => {
    const stage = loaded({ source: CLASSIC });
    const rows = ['a', 'a', 'b', 'c'].map((item) => bought(item, 'k'));
    const steps = [...framesOf('events', rows, [1]), END];
    const crashes = steps.map((_, at) => ({ at, kind: 'crash' }) as const);
    const cuts = [{ at: 1, kind: 'snapshot' } as const, ...crashes];
    expect(playWithCrashes(stage, steps, cuts)).toEqual(play(stage, steps));
  });
});

it('knows brand and mean price of what was bought', () => {
  const driver = new StageDriver(live());
  feed(driver, 'events', [
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

describe('a table beside events', () => {
  const LOADED_MS = 1_000;
  const past = (rows: readonly Past[]): Step => ({
    feed: 'table',
    rows: rows.map((row) => ({ ...row, time: LOADED_MS })),
  });
  const weighted = (more: Partial<typeof WEIGHTED> = {}) =>
    popularity({ source: { ...WEIGHTED, ...more }, aligned: false });
  const factsOf = (said: readonly Saying[]): string[] =>
    rowsSaid(said, 'lists').map((r) => [r['item'], r['popularity'], r['itemCategory'], r['brand'], r['price']].join());

  it('has lists without any event, at once', () => {
    const rows = [
      { item: 'a', purchases: 4, category: 'kids', brand: 'acme', price: 9.99 },
      { item: 'b', purchases: 6, category: 'auto' },
      { item: 'c', purchases: 0, category: 'kids' },
    ];
    expect(listsOf(play(weighted(), [past(rows)]))).toEqual([
      '*: b×6[auto] a×4[kids]',
      'kids: a×4[kids]',
      'auto: b×6[auto]',
    ]);
  });

  it('N is its total and what events add, in whatever order they come', () => {
    const table = past([{ item: 'a', purchases: 300 }]);
    const events: Step = { feed: 'events', rows: [...Array(3)].map(() => ({ ...bought('a'), type: VIEW })) };
    for (const steps of [
      [table, events],
      [events, table],
    ]) {
      expect(remembered(play(weighted(), [...steps, { tick: 1 }])).get('*')).toBe('a×300.06[]');
    }
  });

  it('its category and brand hold until an event says otherwise; its price is that of its purchases', () => {
    const table = past([{ item: 'a', purchases: 3, category: 'kids', brand: 'acme', price: 10 }]);
    const event: Step = { feed: 'events', rows: [{ ...bought('a', 'auto', 7), brand: 'other', price: 30 }] };
    const silent: Step = { feed: 'events', rows: [bought('a', undefined, 7)] };
    const after = (...steps: Step[]) => factsOf(play(weighted(), steps)).at(-1);
    expect(after(table)).toBe('a,3,kids,acme,10');
    expect(after(table, silent)).toBe('a,4,kids,acme,10');
    expect(after(table, event)).toBe('a,4,auto,other,15');
    expect(after(event, table)).toBe('a,4,auto,other,15');
  });

  it('has the main categories that events would have, and each of several', () => {
    const rows = [
      { item: 'a', purchases: 4, category: 'kids.toys.cars' },
      { item: 'b', purchases: 6, category: 'auto.parts|kids.seats' },
    ];
    expect(listsOf(play(weighted(), [past(rows)]))).toEqual([
      '*: b×6[auto] a×4[kids]',
      'kids: b×6[kids] a×4[kids]',
      'auto: b×6[auto]',
    ]);
  });

  it('fades from its load on', () => {
    const steps = (...times: number[]): Step[] => [
      past([{ item: 'a', purchases: 8 }]),
      ...times.map((time): Step => ({ feed: 'events', rows: [bought('b', 'kids', time)] })),
    ];
    const of = (...times: number[]) => remembered(play(weighted({ halfLifeMs: 1_000 }), steps(...times))).get('*');
    expect(of(0)).toBe('a×8[] b×0.5[kids]');
    expect(of(LOADED_MS + 1_000)).toBe('a×4[] b×1[kids]');
    expect(of(LOADED_MS + 3_000)).toBe('a×1[] b×1[kids]');
  });

  const pastRow = fc.record({
    item: fc.constantFrom('1', '2', '10', 'a', 'b'),
    purchases: fc.nat({ max: 9 }),
    category: fc.constantFrom(undefined, 'k', 'l'),
    brand: fc.constantFrom(undefined, 'x', 'y'),
    price: fc.constantFrom(undefined, 1.5, 2),
  });
  // Of an item one row: which of two is the later one is for the file to say.
  const table = fc.uniqueArray(pastRow, { selector: ({ item }) => item, maxLength: 5 });
  const tablesOf = (rows: readonly Past[], frameSizes: readonly number[]): Step[] =>
    framesOf('table', rows, frameSizes).map((step) => past((step as { rows: readonly Past[] }).rows));

  it('agrees with a sort of the sums, in any order and frames, and however often it comes', () => {
    fc.assert(
      fc.property(table, events, sizes, fc.nat({ max: 3 }), fc.boolean(), (rows, all, frameSizes, at, again) => {
        const tables = tablesOf(rows, frameSizes);
        const steps = framesOf('events', all, frameSizes);
        steps.splice(at, 0, ...tables);
        const said = play(live(), [...steps, ...(again ? tables : []), { tick: 1 }]);
        expect(remembered(said)).toEqual(oracle(all, 100, rows));
      }),
      { seed: 21, numRuns: 150 },
    );
  });

  it('says the same after crashes at any cut', () => {
    const script = fc.tuple(table, events, sizes).chain(([rows, all, frameSizes]) => {
      const steps = [...tablesOf(rows, frameSizes), ...framesOf('events', all, frameSizes), { tick: 1 }, { tick: 2 }];
      return fc.tuple(fc.shuffledSubarray(steps, { minLength: steps.length }), cutsOf(steps.length));
    });
    fc.assert(
      fc.property(script, ([steps, cuts]) => {
        const stage = weighted({ halfLifeMs: 2_000 });
        expect(playWithCrashes(stage, steps, cuts)).toEqual(play(stage, steps));
      }),
      { seed: 22, numRuns: 120 },
    );
  });
});
