/** More items than there is room for: what the lists may be short by (maths/heavy-hitters), and that memory stays bounded. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PURCHASE, VIEW } from '../../actors/model.js';
import { trending } from '../../actors/trending.js';
import { StageDriver } from '../support/stage-driver.js';
import { HOUR } from '../support/trending-oracle.js';

const ROOM = 20;

interface Seen {
  readonly item: number;
  readonly type: number;
}

const row = ({ item, type }: Seen, time = 1) => ({ time, type, item: `i${item}` });
const seen: fc.Arbitrary<Seen> = fc.record({
  // Few are popular, many are seen once.
  item: fc.oneof({ weight: 2, arbitrary: fc.nat(6) }, { weight: 1, arbitrary: fc.nat(10_000) }),
  type: fc.constantFrom(VIEW, PURCHASE),
});

function listed(driver: StageDriver, window = 0) {
  const rows = driver.tick(1).rows['tops']!;
  return rows.filter((r) => r['window'] === window && r['item'] !== undefined) as unknown as {
    readonly item: string;
    readonly views: number;
    readonly clicks: number;
    readonly score: number;
  }[];
}

describe('with more items than there is room for', () => {
  it.each([
    ['the hour', 0],
    ['the last hour', 2],
  ])(
    'of %s no count is above the truth, none below it by more than 2 N / m, and no item with more is missing',
    (_, window) => {
      fc.assert(
        fc.property(
          fc.array(fc.array(seen, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 40 }),
          (frames) => {
            const driver = new StageDriver(trending({ published: 'live', delayMs: 0, itemsMax: ROOM }));
            for (const frame of frames)
              driver.feed(
                'events',
                frame.map((one) => row(one)),
              );
            const truth = new Map<string, number>();
            for (const { item, type } of frames.flat()) {
              truth.set(`i${item}`, (truth.get(`i${item}`) ?? 0) + (type === VIEW ? 1 : 2));
            }
            const all = [...truth.values()].reduce((sum, score) => sum + score, 0);
            const bound = (2 * all) / ROOM;
            const list = listed(driver, window);
            for (const { item, views, clicks, score } of list) {
              expect(score).toBe(views + 2 * clicks);
              expect(score).toBeLessThanOrEqual(truth.get(item)!);
              expect(score).toBeGreaterThanOrEqual(truth.get(item)! - bound);
            }
            const names = new Set(list.map(({ item }) => item));
            for (const [item, score] of truth) if (score > bound) expect(names).toContain(item);
          },
        ),
      );
    },
  );

  it('steps that are over are let go: what is kept of the last two hours is bounded', () => {
    const driver = new StageDriver(trending({ published: 'live', delayMs: 0, itemsMax: 100 }));
    const step = HOUR / 12;
    for (let i = 0; i < 100; i++) {
      driver.feed(
        'events',
        Array.from({ length: 90 }, (_, n) => row({ item: n, type: VIEW }, i * step)),
      );
      driver.endEpoch((i - 1) * step, i * step);
    }
    // Nine hours and a day's past that is open still; 24 steps; as many items, and a name.
    expect(driver.instance.keys()).toBeLessThan(90 * (9 + 24 + 1) + 20);
    expect(listed(driver, 2).every(({ views }) => views === 12)).toBe(true);
  });

  it('the same holds for each hour of frames that are of many', () => {
    const driver = new StageDriver(trending({ published: 'closed', delayMs: 0, itemsMax: 800 }));
    const hours = 3;
    for (let i = 0; i < 12; i++) {
      const rows = Array.from({ length: 900 }, (_, n) =>
        row({ item: n < 600 ? 1_000 + i * 900 + n : n % 3, type: VIEW }, (n % hours) * HOUR),
      );
      driver.feed('events', rows);
    }
    const said = driver.endInput().rows['hours']!;
    for (let hour = 0; hour < hours; hour++) {
      const best = said.filter((r) => r['start'] === hour * HOUR).slice(0, 1);
      expect(best).toMatchObject([{ item: `i${hour}`, views: 12 * 100 }]);
    }
  });

  it('what is kept stays bounded, and numbers are reused', () => {
    const driver = new StageDriver(trending({ published: 'live', delayMs: 0, itemsMax: 1_000 }));
    for (let i = 0; i < 60; i++) {
      driver.feed(
        'events',
        Array.from({ length: 500 }, (_, n) => row({ item: i * 500 + n, type: VIEW })),
      );
    }
    // Of 30,000 items: two tables of at most some 1,500 rows, and names.
    expect(driver.instance.keys()).toBeLessThan(6_000);
    driver.snapshot();
    driver.feed('events', [row({ item: 1, type: PURCHASE }), row({ item: 1, type: PURCHASE })]);
    driver.feed('events', []);
    driver.snapshot();
    driver.feed('events', []);
    driver.crash();
    expect(listed(driver)[0]).toMatchObject({ item: 'i1', clicks: 2 });
  });

  it('hours that are over are let go with their items', () => {
    const driver = new StageDriver(trending({ published: 'live', delayMs: 0 }));
    for (let hour = 0; hour < 200; hour++) {
      driver.feed(
        'events',
        Array.from({ length: 300 }, (_, n) => row({ item: hour * 300 + n, type: VIEW }, hour * HOUR)),
      );
      driver.endEpoch((hour - 1) * HOUR, hour * HOUR);
    }
    // Fifty hours and the one that runs, a row per item in each, and as many items; twice that before numbers are given anew.
    expect(driver.instance.keys()).toBeLessThan(3 * 52 * 300 + 100);
    expect(listed(driver)).toHaveLength(100);
  });
});
