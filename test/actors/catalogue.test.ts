/** The catalogue: what is known of an item, by hand, against a plain map, over crashes and repeats. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { catalogue, catalogueReader } from '../../actors/catalogue.js';
import type { CatalogueEntry } from '../../actors/operators/keep-items.js';
import { UNKNOWN_MAX } from '../../actors/state/unknown-items.js';
import { StageDriver } from '../support/stage-driver.js';
import { type Cut, cutsOf, feed, framesOf } from './script.js';

interface Row {
  readonly item: string;
  readonly title?: string | undefined;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
  readonly tags?: string | undefined;
  readonly updatedAt: number;
  readonly deleted?: number;
}

const readerOf = (driver: StageDriver) => catalogueReader(driver.instance.states());
const take = (driver: StageDriver, ...rows: Row[]) => feed(driver, 'items', rows);

describe('the catalogue, by hand', () => {
  it('keeps the last entry of an item, completely, and removes what is deleted', () => {
    const driver = new StageDriver(catalogue());
    const reader = readerOf(driver);
    expect([reader.get('a'), reader.revision(), reader.count()]).toEqual([undefined, 0, 0]);
    take(driver, {
      item: 'a',
      title: 'Lamp',
      category: 'home.lamp',
      brand: 'acme',
      price: 5,
      tags: 'x|y',
      updatedAt: 1,
    });
    expect(reader.get('a')).toEqual({
      ...{ title: 'Lamp', category: 'home.lamp', brand: 'acme', price: 5, tags: 'x|y', updatedAtMs: 1 },
    });
    take(driver, { item: 'a', title: 'Big lamp', updatedAt: 2 }, { item: 'b', price: 0, updatedAt: 2 });
    expect(reader.get('a')).toEqual({ title: 'Big lamp', updatedAtMs: 2 });
    expect(reader.get('b')).toEqual({ price: 0, updatedAtMs: 2 });
    expect([reader.revision(), reader.count()]).toEqual([3, 2]);
    take(driver, { item: 'a', updatedAt: 3, deleted: 1 }, { item: 'never', updatedAt: 3, deleted: 1 });
    expect([reader.get('a'), reader.revision(), reader.count()]).toEqual([undefined, 4, 1]);
  });

  it('publishes nothing, and an entry that changes nothing leaves revision and time unchanged', () => {
    const driver = new StageDriver(catalogue());
    const row = { item: 'a', title: 'Lamp', price: 5 };
    expect(take(driver, { ...row, updatedAt: 1 }).frames).toEqual([]);
    take(driver, { ...row, updatedAt: 2 });
    expect(readerOf(driver).get('a')?.updatedAtMs).toBe(1);
    expect(readerOf(driver).revision()).toBe(1);
  });

  it('of two of one item in one message the later counts', () => {
    const driver = new StageDriver(catalogue());
    take(driver, { item: 'a', title: 'x', updatedAt: 1 }, { item: 'a', title: 'y', updatedAt: 1 });
    expect(readerOf(driver).get('a')?.title).toBe('y');
  });
});

describe('unknown items', () => {
  const report = (driver: StageDriver, ...all: readonly (readonly [item: string, events: number, time: number])[]) =>
    feed(
      driver,
      'unknown',
      all.map(([item, events, time]) => ({ item, events, time })),
    );
  const lacking = (driver: StageDriver): string[] =>
    readerOf(driver)
      .unknown()
      .map(({ item, events, timeMs }) => `${item}×${events}@${timeMs}`);

  it('are listed with all their events, the latest first, until they come', () => {
    const driver = new StageDriver(catalogue());
    take(driver, { item: 'known', updatedAt: 1 });
    report(driver, ['a', 2, 5], ['b', 1, 7], ['known', 3, 9]);
    report(driver, ['a', 1, 4], ['c', 1, 5]);
    expect(lacking(driver)).toEqual(['b×1@7', 'a×3@5', 'c×1@5']);
    driver.snapshot();
    take(driver, { item: 'b', title: 'B', updatedAt: 2 }, { item: 'c', updatedAt: 2, deleted: 1 });
    expect(lacking(driver)).toEqual(['a×3@5', 'c×1@5']);
    expect(readerOf(driver).revision()).toBe(2);
    driver.crash();
    expect(lacking(driver)).toEqual(['b×1@7', 'a×3@5', 'c×1@5']);
  });

  it('are those that events were about last, if there are too many', () => {
    const driver = new StageDriver(catalogue());
    report(driver, ...Array.from({ length: UNKNOWN_MAX + 5 }, (_, i) => [`i${i}`, 1, i] as const));
    const list = readerOf(driver).unknown();
    expect(list).toHaveLength(UNKNOWN_MAX);
    expect([list[0]!.item, list.at(-1)!.item]).toEqual([`i${UNKNOWN_MAX + 4}`, 'i5']);
  });
});

const IDS = ['a', 'b', 'c'];
const rows: fc.Arbitrary<Row[]> = fc
  .array(
    fc.record({
      item: fc.constantFrom(...IDS),
      title: fc.constantFrom(undefined, 'x', 'y'),
      category: fc.constantFrom(undefined, 'c'),
      brand: fc.constantFrom(undefined, 'b'),
      price: fc.constantFrom(undefined, 0, 2.5),
      tags: fc.constantFrom(undefined, 'x', 'x|y'),
      deleted: fc.constantFrom(0, 0, 0, 1),
    }),
    { maxLength: 20 },
  )
  .map((all) => all.map((row, i) => ({ ...row, updatedAt: i })));
const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 6 });

/** By a plain loop. */
function oracle(all: readonly Row[]) {
  const known = new Map<string, Partial<CatalogueEntry>>();
  let revision = 0;
  const said = (one: Partial<CatalogueEntry> | undefined) => one && JSON.stringify({ ...one, updatedAtMs: 0 });
  for (const { item, updatedAt, deleted, ...row } of all) {
    const plain = Object.fromEntries(Object.entries(row).filter(([, one]) => one !== undefined));
    const after = deleted === 1 ? undefined : { ...plain, updatedAtMs: updatedAt };
    if (said(known.get(item)) === said(after)) continue;
    revision++;
    if (after === undefined) known.delete(item);
    else known.set(item, after);
  }
  return { items: IDS.map((id) => known.get(id)), revision, count: known.size };
}

function knownOf(driver: StageDriver) {
  const reader = readerOf(driver);
  return { items: IDS.map((id) => reader.get(id)), revision: reader.revision(), count: reader.count() };
}

describe('any items', () => {
  it('in frames of any size, give what a plain map knows', () => {
    fc.assert(
      fc.property(rows, sizes, (all, some) => {
        const driver = new StageDriver(catalogue());
        for (const step of framesOf('items', all, some)) if ('feed' in step) feed(driver, 'items', step.rows);
        expect(knownOf(driver)).toEqual(oracle(all));
      }),
    );
  });

  it('with snapshots and crashes at any cut, the same', () => {
    const given = rows.chain((all) => fc.tuple(fc.constant(all), sizes, cutsOf(all.length)));
    fc.assert(
      fc.property(given, ([all, some, cuts]: [Row[], number[], Cut[]]) => {
        const steps = framesOf('items', all, some);
        const driver = new StageDriver(catalogue());
        const open = new Set(cuts);
        let stored = 0;
        for (let at = 0; at < steps.length; at++) {
          const step = steps[at]!;
          if ('feed' in step) feed(driver, 'items', step.rows);
          for (const cut of cuts) {
            if (cut.at !== at || !open.delete(cut)) continue;
            if (cut.kind === 'snapshot') {
              driver.snapshot();
              stored = at + 1;
              continue;
            }
            driver.crash();
            at = stored - 1;
            break;
          }
        }
        expect(knownOf(driver)).toEqual(oracle(all));
      }),
    );
  });

  it('received twice in a row count as received once', () => {
    fc.assert(
      fc.property(rows, (all) => {
        const driver = new StageDriver(catalogue());
        for (const row of all) for (const again of [row, row]) take(driver, again);
        expect(knownOf(driver)).toEqual(oracle(all));
      }),
    );
  });
});
