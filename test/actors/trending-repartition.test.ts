/** What trending instances have counted, told apart anew for another number of them: together they list the same. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { PURCHASE, VIEW } from '../../actors/model.js';
import { trending } from '../../actors/trending.js';
import { partitionOf } from '../../runtime/contract/stage.js';
import { type AnyRow, StageDriver } from '../support/stage-driver.js';
import { HOUR } from '../support/trending-oracle.js';

const stage = trending({ published: 'live', delayMs: 0 });
const CATEGORIES = [undefined, 'kids.toys', 'auto', 'sport', 'sport|auto.car', 'kids|sport'];

const event = fc.record({
  time: fc.integer({ min: 20 * HOUR, max: 26 * HOUR }),
  type: fc.constantFrom(VIEW, PURCHASE),
  item: fc.nat(40).map((n) => `i${n}`),
  category: fc.constantFrom(...CATEGORIES),
});

/** All rows, in whatever order; who said them is another matter. */
const listed = (rows: readonly AnyRow[]): string[] =>
  rows
    .filter((row) => row['item'] !== undefined)
    .map(({ origin: _, ...row }) => JSON.stringify(row))
    .sort();

it('lists, counts, categories and what is late stay', () => {
  const partitions = fc.integer({ min: 1, max: 4 });
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 60 }), partitions, partitions, (events, before, after) => {
      const old = Array.from({ length: before }, (_, p) => new StageDriver(stage, p));
      const latestMs = Math.max(...events.map(({ time }) => time));
      for (const [p, driver] of old.entries()) {
        driver.feed(
          'events',
          events.filter(({ item }) => partitionOf(item, before) === p),
        );
        driver.endEpoch(-Infinity, latestMs);
      }
      const expected = old.flatMap((driver) => driver.tick(1).rows['tops'] ?? []);

      const fresh = Array.from({ length: after }, (_, p) => new StageDriver(stage, p));
      const cellsOf = (drivers: readonly StageDriver[]) => drivers.map(({ instance }) => instance.states());
      stage.repartition!(cellsOf(old) as never, cellsOf(fresh) as never);
      for (const driver of fresh) driver.endEpoch(-Infinity, latestMs);
      const moved = fresh.flatMap((driver) => driver.tick(1).rows['tops'] ?? []);
      expect(listed(moved)).toEqual(listed(expected));
      for (const q of fresh.keys()) {
        const own = moved.filter(({ origin }) => origin === q).flatMap(({ item }) => item ?? []);
        for (const item of own) expect(partitionOf(String(item), after)).toBe(q);
      }
    }),
  );
});

it('the list of a category that its items left before the list was published again is empty', () => {
  const old = new StageDriver(stage);
  const seen = (time: number, category: string) => [{ time, type: VIEW, item: 'i1', category }];
  old.feed('events', seen(HOUR, 'kids.toys'));
  old.tick(1);
  old.feed('events', seen(HOUR + 1, 'auto'));
  const fresh = [0, 1, 2].map((q) => new StageDriver(stage, q));
  stage.repartition!([old.instance.states()] as never, fresh.map(({ instance }) => instance.states()) as never);
  for (const driver of fresh) {
    driver.endEpoch(-Infinity, HOUR + 1);
    const kids = (driver.tick(2).rows['tops'] ?? []).filter(({ category }) => category === 'kids');
    expect(kids.map(({ window, item }) => [window, item])).toEqual([0, 1, 2].map((window) => [window, undefined]));
  }
});
