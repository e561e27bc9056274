/** The window stage by hand: minutes in, rows as `start-end user×count+added@time` out. */
import { describe, expect, it } from 'vitest';
import { CART, VIEW } from '../../actors/model.js';
import { window, type WindowOptions } from '../../actors/window.js';
import { type Columns, type Row } from '../../runtime/contract/stage.js';
import { StageDriver } from '../support/stage-driver.js';

const MINUTE = 60_000;

type Event = Partial<Row<Columns>>;

/** A view of item 1 by user u at a minute. */
const view = (minute: number, fields: Event = {}): Event => ({
  time: minute * MINUTE,
  type: VIEW,
  user: 'u',
  item: '1',
  ...fields,
});

type Epoch = readonly [watermarkMinute: number, ...events: Event[]];

const rowText = (row: Row<Columns>): string => {
  const minute = (name: string): number => (row[name] as number) / MINUTE;
  return `${minute('windowStart')}-${minute('windowEnd')} ${row['user']}×${row['count']}+${row['added']}@${minute('time')}`;
};

/** The rows of each epoch, in order, and the minutes of its late events. */
function run(options: WindowOptions, ...epochs: Epoch[]) {
  const driver = new StageDriver(window(options));
  const rows: string[][] = [];
  const late: number[][] = [];
  for (const [watermarkMinute, ...events] of epochs) {
    late.push((driver.feed('events', events).rows['late'] ?? []).map(({ time }) => (time as number) / MINUTE));
    rows.push((driver.endEpoch(watermarkMinute * MINUTE).rows['rows'] ?? []).map(rowText));
  }
  return { rows, late, counts: driver.counts() };
}

describe('lateness', () => {
  it('is decided by the W that ended the epochs before, not by the own one', () => {
    // W = 10 is known at the start of epoch 1: its end closes 5-10, so that 7 is on time in epoch 1 and late in epoch 2.
    const epochs: Epoch[] = [[-Infinity, view(7), view(20)], [10, view(7)], [10, view(7), view(10)], [10]];
    const { rows, late, counts } = run({}, ...epochs);
    expect(rows).toEqual([['5-10 u×1+1@7', '20-25 u×1+1@20'], ['5-10 u×1+1@7'], ['10-15 u×1+1@10'], []]);
    expect(late).toEqual([[], [], [7], []]);
    expect(counts).toMatchObject({ on_time: 4, late: 1 });
  });

  it('never takes a window back that is closed, though W falls', () => {
    const { late } = run({}, [15, view(1)], [-Infinity, view(14)], [3, view(15), view(9)]);
    expect(late).toEqual([[], [14], [9]]);
  });

  it('is allowed for a while', () => {
    // 5-10 closes at W = 11: not before.
    const { late } = run({ allowedLatenessMs: MINUTE }, [10.9, view(7)], [11, view(7)], [11, view(7)]);
    expect(late).toEqual([[], [], [7]]);
  });

  it('leaves the late events as they came, and counts none of them', () => {
    const driver = new StageDriver(window());
    driver.endEpoch(10 * MINUTE);
    const late = view(7, { category: 'a.b', price: 2.5, rating: 4 });
    const { rows } = driver.feed('events', [view(11), late, view(9), view(12)]);
    expect(rows['late']).toEqual([
      { ...late, brand: undefined },
      { ...view(9), category: undefined, brand: undefined, price: undefined, rating: undefined },
    ]);
    expect(driver.endEpoch().rows['rows']!.map(rowText)).toEqual(['10-15 u×2+2@12']);
    expect(driver.counts()).toMatchObject({ events: 0, on_time: 2, late: 2, dead_letter: 0, duplicates: 0 });
  });
});

describe('rows', () => {
  it('are apart by every part of the key; an absent price, category and brand are values too', () => {
    const more: Event[] = [
      {},
      { item: '2' },
      { type: CART },
      { category: 'a' },
      { brand: 'a' },
      { price: 0 },
      { price: 2 },
      { user: 'v' },
    ];
    const driver = new StageDriver(window());
    driver.feed(
      'events',
      [...more, ...more].map((fields) => view(1, fields)),
    );
    const rows = driver.endEpoch().rows['rows']!;
    expect(rows).toHaveLength(more.length);
    expect(rows).toEqual(more.map((fields) => expect.objectContaining({ ...fields, count: 2, added: 2 })));
  });

  it('take 0 and −0 for one price', () => {
    expect(run({}, [0, view(1, { price: 0 }), view(1, { price: -0 })]).rows).toEqual([['0-5 u×2+2@1']]);
  });

  it('come windows ascending, then keys in order of first sight in the epoch', () => {
    const v = { user: 'v' };
    const first: Epoch = [-Infinity, view(7), view(1, v), view(2), view(8, v)];
    const { rows } = run({}, first, [-Infinity, view(3), view(1, v), view(-1)]);
    expect(rows).toEqual([
      ['0-5 v×1+1@1', '0-5 u×1+1@2', '5-10 u×1+1@7', '5-10 v×1+1@8'],
      ['-5-0 u×1+1@-1', '0-5 u×1+1@3', '0-5 v×1+1@1'],
    ]);
  });

  it('are none for an epoch without events', () => {
    expect(run({}, [0], [5], [5, view(1)]).rows).toEqual([[], [], []]);
  });
});

describe('output', () => {
  const epochs: Epoch[] = [[-Infinity, view(1), view(2), view(6)], [-Infinity, view(0)], [5, view(7)], [10], [10]];

  it('update: what the epoch changed; count, added and time are of the epoch', () => {
    const { rows } = run({ output: 'update' }, ...epochs);
    expect(rows).toEqual([['0-5 u×2+2@2', '5-10 u×1+1@6'], ['0-5 u×1+1@0'], ['5-10 u×1+1@7'], [], []]);
  });

  it('append: what closes, once; time is the latest of all', () => {
    expect(run({ output: 'append' }, ...epochs).rows).toEqual([[], [], ['0-5 u×3+3@2'], ['5-10 u×2+2@7'], []]);
  });

  it('complete: all that was open at the end, changed or not', () => {
    expect(run({ output: 'complete' }, ...epochs).rows).toEqual([
      ['0-5 u×2+2@2', '5-10 u×1+1@6'],
      ['0-5 u×3+1@2', '5-10 u×1+0@6'],
      ['0-5 u×3+0@2', '5-10 u×2+1@7'],
      ['5-10 u×2+0@7'],
      [],
    ]);
  });
});

describe('hopping windows', () => {
  const kind = { kind: 'hopping', sizeMs: 10 * MINUTE, slideMs: 5 * MINUTE } as const;

  it('count an event in each that is open; it is late only if none is', () => {
    // W = 10 closes −5-5 and 0-10 at the end of epoch 1: 7 still counts in 5-15, 3 counts nowhere.
    const { rows, late, counts } = run({ kind }, [-Infinity, view(7), view(20)], [10], [10, view(7), view(3)]);
    expect(rows).toEqual([['0-10 u×1+1@7', '5-15 u×1+1@7', '15-25 u×1+1@20', '20-30 u×1+1@20'], [], ['5-15 u×1+1@7']]);
    expect(late).toEqual([[], [], [3]]);
    expect(counts).toMatchObject({ on_time: 3, late: 1 });
  });

  it('count a key of two panes once', () => {
    const { rows } = run({ kind }, [0, view(4), view(6), view(9)]);
    expect(rows).toEqual([['-5-5 u×1+1@4', '0-10 u×3+3@9', '5-15 u×2+2@9']]);
  });
});

describe('session windows', () => {
  const kind = { kind: 'session', gapMs: 5 * MINUTE } as const;

  it('merge what is closer than the gap, across epochs, per key', () => {
    const { rows } = run({ kind }, [0, view(0), view(4), view(9), view(1, { user: 'v' })], [0, view(6)], [0, view(30)]);
    expect(rows).toEqual([
      // 4 and 9 are exactly the gap apart.
      ['0-9 u×2+2@4', '1-6 v×1+1@1', '9-14 u×1+1@9'],
      ['0-14 u×4+1@6'],
      ['30-35 u×1+1@30'],
    ]);
  });

  it('take an event for late by its own gap, and merge nothing that is closed', () => {
    // W = 10 closes 2-7 of v; 6-12 of u stays open. 5 would have joined it, but 5-10 is closed: late. 6 of v is on time, and alone.
    const v = { user: 'v' };
    const { rows, late } = run(
      { kind },
      [-Infinity, view(2, v), view(6), view(7), view(20)],
      [10],
      [10, view(5), view(6, v), view(5.5)],
    );
    expect(rows[2]).toEqual(['5.5-12 u×3+1@5.5', '6-11 v×1+1@6']);
    expect(late).toEqual([[], [], [5]]);
  });

  it('go out once, when they close, in output append', () => {
    const epochs: Epoch[] = [[-Infinity, view(0), view(3), view(20), view(1, { user: 'v' })], [6], [8], [8]];
    expect(run({ kind, output: 'append' }, ...epochs).rows).toEqual([[], ['1-6 v×1+1@1'], ['0-8 u×2+2@3'], []]);
  });
});

describe('options', () => {
  it.each<[string, WindowOptions]>([
    ['no length', { kind: { kind: 'tumbling', sizeMs: 0 } }],
    ['part of a millisecond', { kind: { kind: 'tumbling', sizeMs: 0.5 } }],
    ['a slide that leaves gaps', { kind: { kind: 'hopping', sizeMs: 5, slideMs: 6 } }],
    ['no gap', { kind: { kind: 'session', gapMs: 0 } }],
    ['negative lateness', { allowedLatenessMs: -1 }],
  ])('refuse %s', (_, options) => {
    expect(() => window(options)).toThrow(RangeError);
  });
});
