/**
 * The oracle against answers that it did not make: rows worked by hand from design.md §4, and the rows of a Spark 3.5.3 run
 * (../shared/parity/expected).
 */
import { describe, expect, it } from 'vitest';
import { type Csv, eventTimeIn, noParity, readCsv, readEpochs } from './support/parity-files.js';
import { referenceModel, type ReferenceEvent, type ReferenceOptions } from './support/reference-model.js';
import { skipped } from './support/requirements.js';

const MINUTE_MS = 60_000;

/** A view of item 1 by user u at a minute. */
const view = (minute: number, fields: Partial<ReferenceEvent> = {}): ReferenceEvent => ({
  time: minute * MINUTE_MS,
  type: 'view',
  user: 'u',
  item: '1',
  ...fields,
});

/** Window rows as `start-end user×count`, in minutes. */
const rowsOf = (epochs: ReferenceEvent[][]) => {
  const { windowRows, late } = referenceModel(epochs);
  return {
    rows: windowRows.map((rows) =>
      rows.map((r) => `${r.windowStart / MINUTE_MS}-${r.windowEnd / MINUTE_MS} ${r.user}×${r.count}`).sort(),
    ),
    late: late.map(({ epoch, time }) => `${epoch}: ${time / MINUTE_MS}`),
  };
};

// Windows of other kinds, allowed lateness and what closes: test/actors/window.test.ts, by hand, of the stage that equals the oracle.
describe('watermark, lateness and windows', () => {
  it('closes windows at the end of an epoch, by the watermark of the epochs before it', () => {
    // W(1) = 20 − 10 = 10: it closes 5-10 at the end of epoch 1, so 7 is on time in epoch 1 and late in epoch 2.
    expect(rowsOf([[view(7), view(20)], [view(7)], [view(7), view(10)], []])).toEqual({
      rows: [['20-25 u×1', '5-10 u×1'], ['5-10 u×2'], ['10-15 u×1'], []],
      late: ['2: 7'],
    });
  });

  it('judges the events of one epoch alike in any order', () => {
    const epochs = [[view(20)], [view(40)], [view(9), view(60), view(11)], [view(29), view(31)]];
    const reversed = epochs.map((events) => [...events].reverse());
    expect(rowsOf(epochs).late).toEqual(['2: 9', '3: 29']);
    expect(rowsOf(reversed)).toEqual(rowsOf(epochs));
  });

  it('counts equal events, and tells absent from present fields', () => {
    const events = [view(0), view(4, { category: '', brand: '' }), view(1, { price: 2 }), view(1, { brand: 'b' })];
    expect(referenceModel([events]).windowRows[0]).toEqual([
      { epoch: 0, windowStart: 0, windowEnd: 5 * MINUTE_MS, user: 'u', item: '1', type: 'view', count: 2 },
      { epoch: 0, windowStart: 0, windowEnd: 5 * MINUTE_MS, user: 'u', item: '1', type: 'view', price: 2, count: 1 },
      { epoch: 0, windowStart: 0, windowEnd: 5 * MINUTE_MS, user: 'u', item: '1', type: 'view', brand: 'b', count: 1 },
    ]);
  });
});

describe('recommendations', () => {
  const popularity = [
    { item: '10', totalPurchases: 3, mainCategory: 'a' },
    { item: '9', totalPurchases: 3, mainCategory: 'a' },
    { item: '8', totalPurchases: 0, mainCategory: 'a' },
    { item: '7', totalPurchases: 6, mainCategory: 'b' },
    { item: '6', totalPurchases: 9, mainCategory: 'd' },
    { item: '5', totalPurchases: 4 },
  ];
  const list = (events: ReferenceEvent[], options: ReferenceOptions = {}) =>
    referenceModel([events], { popularity, ...options }).recommendations.map(
      (r) => `${r.user} ${r.rank} ${r.item} ${r.score} ${r.mainCategory ?? '-'} ${r.type}`,
    );

  it('joins the top three categories by rows, ties by name, scores, ranks and cuts', () => {
    // Rows: a 2 (two events in one window are one row), b 1, c 1, d 1: d is out. Score 2·3/100 = 1·6/100: ties by numeric item.
    const events = [
      view(0, { category: 'a.x' }),
      view(1, { category: 'a.x' }),
      view(5, { category: 'a' }),
      ...['d', 'c', 'b.y.z'].map((category) => view(0, { category })),
    ];
    const rows = ['u 1 7 0.06 b', 'u 2 9 0.06 a', 'u 3 10 0.06 a'].map((row) => `${row} streaming_category_popularity`);
    expect(list(events)).toEqual(rows);
  });

  it('orders items as text when one of the table is not an integer', () => {
    const options = { popularity: [...popularity, { item: 'x', totalPurchases: 0 }] };
    expect(list([view(0, { category: 'a' })], options).map((row) => row.split(' ')[2])).toEqual(['10', '9']);
  });

  it('falls back to the global top 10, with the main category of each item, for rows that join nothing', () => {
    const rows = ['1 6 0.1 d', '2 7 0.1 b', '3 5 0.1 -', '4 9 0.1 a', '5 10 0.1 a', '6 8 0.1 a'];
    const fallback = (user: string) => rows.map((row) => `${user} ${row} streaming_popular_fallback`);
    const events = [view(0), view(0, { user: 'v', category: 'zzz' })];
    expect(list(events)).toEqual([...fallback('u'), ...fallback('v')]);
  });

  it('says nothing about a user whose only events are late', () => {
    const { recommendations } = referenceModel([[view(30)], [], [view(0, { user: 'v' })]], { popularity });
    expect(new Set(recommendations.map((r) => `${r.epoch} ${r.user}`))).toEqual(new Set(['0 u']));
  });
});

it('user interactions count rows, not events, and know three types', () => {
  const types = ['view', 'cart', 'purchase', 'click'].map((type) => view(0, { type }));
  const { userInteractions } = referenceModel([[...types, view(1), view(5), view(0, { item: '2' })]]);
  expect(userInteractions).toEqual([
    { epoch: 0, user: 'u', item: '1', interactionCount: 5, views: 2, carts: 1, purchases: 1 },
    { epoch: 0, user: 'u', item: '2', interactionCount: 1, views: 1, carts: 0, purchases: 0 },
  ]);
});

describe.skipIf(noParity)(`parity with Spark 3.5.3 (../shared/parity)${skipped(noParity)}`, () => {
  const optional = (row: Csv) => ({
    ...(row['category_code'] === '' ? {} : { category: row['category_code']! }),
    ...(row['brand'] === '' ? {} : { brand: row['brand']! }),
    ...(row['price'] === '' ? {} : { price: Number(row['price']) }),
  });
  const readEvent = (row: Csv): ReferenceEvent => ({
    time: eventTimeIn(row),
    type: row['event_type']!,
    user: row['user_id']!,
    item: row['product_id']!,
    ...optional(row),
  });
  /** Rows as sorted text, so that a row too many counts as a difference. */
  const sorted = (rows: readonly object[]): string[] =>
    rows.map((row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1)))).sort();

  const run = () => {
    const epochs = readEpochs(readEvent);
    const popularity = readCsv('popularity.csv').map((row) => ({
      item: row['product_id']!,
      totalPurchases: Number(row['total_purchases']),
      mainCategory: row['main_category_code']!,
    }));
    return { epochs, result: referenceModel(epochs, { popularity }) };
  };
  const { epochs, result } = noParity === undefined ? run() : ({} as ReturnType<typeof run>);

  it('recommendations.csv', () => {
    const expected = readCsv('expected/recommendations.csv').map((row) => ({
      epoch: Number(row['epoch']),
      user: row['user_id']!,
      item: row['product_id']!,
      score: Number(row['rec_score']),
      ...(row['main_category'] === '' ? {} : { mainCategory: row['main_category']! }),
      rank: Number(row['rank']),
      type: row['recommendation_type']!,
    }));
    expect(expected).toHaveLength(60_676);
    expect(sorted(result.recommendations)).toEqual(sorted(expected));
  });

  it('user_interactions.csv', () => {
    const expected = readCsv('expected/user_interactions.csv').map((row) => ({
      epoch: Number(row['epoch']),
      user: row['user_id']!,
      item: row['product_id']!,
      interactionCount: Number(row['interaction_count']),
      views: Number(row['views']),
      carts: Number(row['carts']),
      purchases: Number(row['purchases']),
    }));
    expect(sorted(result.userInteractions)).toEqual(sorted(expected));
  });

  it('late.csv, and every event is on time or late', () => {
    const expected = readCsv('expected/late.csv').map((row) => ({ epoch: Number(row['epoch']), ...readEvent(row) }));
    expect(expected).toHaveLength(202);
    expect(sorted(result.late)).toEqual(sorted(expected));

    const updated = new Map(result.windowRows.flat().map(({ epoch: _, count, ...key }) => [sorted([key])[0], count]));
    const onTime = [...updated.values()].reduce((sum, count) => sum + count, 0);
    expect(onTime + result.late.length).toBe(epochs.flat().length);
  });
});
