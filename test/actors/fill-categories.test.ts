/** The catalogue beside the events: an event without a category gets its item's, from then on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UNKNOWN_MAX } from '../../actors/state/unknown-items.js';
import { watermark } from '../../actors/watermark.js';
import { StageDriver } from '../support/stage-driver.js';
import { cutsOf, exact, framesOf, play, playExactly, rowsSaid, type Step } from './script.js';

const STAGE = watermark({
  trigger: { kind: 'frame' },
  popularity: true,
  engagements: Uint8Array.of(1, 1, 1, 1, 1, 1),
});
const items = (...rows: readonly (readonly [item: string, category?: string | null | undefined])[]): Step => ({
  feed: 'items',
  rows: rows.map(([item, category]) => ({
    item,
    ...(category === null ? { deleted: 1 } : { deleted: 0, ...(category === undefined ? {} : { category }) }),
  })),
});
const event = (item: string, category?: string) => ({
  ...{ time: 1, type: 0, user: 'u', item },
  ...(category === undefined ? {} : { category }),
});
const events = (...rows: readonly object[]): Step => ({ feed: 'events', rows });
/** As `item:category`. */
const textsOf = (said: ReturnType<typeof play>, output = 'rows'): string[] =>
  rowsSaid(said, output).map(({ item, category }) => `${item}:${category ?? ''}`);

describe('an event without a category', () => {
  it('gets the categories of its item, in all that reads it; its own are kept', () => {
    const said = play(STAGE, [
      events(event('7')),
      items(['7', 'Drama|War'], ['9']),
      events(event('7'), event('7', 'Comedy'), event('8'), event('9'), event('7')),
      { tick: 1 },
    ]);
    const expected = ['7:', '7:Drama|War', '7:Comedy', '8:', '9:', '7:Drama|War'];
    expect(textsOf(said)).toEqual(expected);
    expect(textsOf(said, 'engagements')).toEqual(expected);
    expect(textsOf(said, 'popularity')).toEqual(expected);
  });

  it('gets what the catalogue says when it comes', () => {
    const said = play(STAGE, [
      items(['7', 'Drama'], ['8', 'War']),
      events(event('7'), event('8')),
      items(['7', 'Comedy'], ['8', null]),
      events(event('7'), event('8')),
      items(['7']),
      events(event('7'), event('8')),
    ]);
    expect(textsOf(said)).toEqual(['7:Drama', '8:War', '7:Comedy', '8:', '7:', '8:']);
  });
});

/** Each report as `item×events@latest …`. */
const reportsOf = (said: ReturnType<typeof play>): string[] =>
  said.flatMap(({ unknown = [] }) =>
    unknown.length === 0 ? [] : [unknown.map((r) => `${r['item']}×${r['events']}@${r['time']}`).join(' ')],
  );

describe('events whose item the catalogue lacks', () => {
  it('are counted, and reported at the next tick; none while it is empty', () => {
    const driver = new StageDriver(STAGE);
    const said = play(
      STAGE,
      [
        events(event('8')),
        { tick: 1 },
        items(['7', 'Drama']),
        events({ ...event('8'), time: 5 }, event('7'), { ...event('9', 'War'), time: 3 }, { ...event('8'), time: 4 }),
        { tick: 2 },
        { tick: 3 },
        events(event('9')),
        items(['7', null]),
        events(event('9')),
        { tick: 4 },
      ],
      driver,
    );
    expect(reportsOf(said)).toEqual(['8×2@5 9×1@3', '9×1@1']);
    expect(driver.counts()).toMatchObject({ unknown_items: 4 });
  });

  it('are reported of a bounded number of items, and counted all the same', () => {
    const driver = new StageDriver(STAGE);
    const many = Array.from({ length: UNKNOWN_MAX + 10 }, (_, i) => event(`x${i}`));
    const said = play(STAGE, [items(['7']), events(...many), events(...many), { tick: 1 }], driver);
    expect(said[3]!['unknown']).toHaveLength(UNKNOWN_MAX);
    expect(new Set(said[3]!['unknown']!.map((r) => r['events']))).toEqual(new Set([2]));
    expect(driver.counts()).toMatchObject({ unknown_items: 2 * many.length });
  });
});

const item = fc.constantFrom('1', '2', '3', '4');
const category = fc.constantFrom('a', 'b|c', undefined);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.array(fc.tuple(item, fc.oneof(category, fc.constant(null))), { maxLength: 4 }).map((rows) => items(...rows)),
  fc
    .array(fc.tuple(item, category), { maxLength: 6 })
    .map((rows) => events(...rows.map(([id, own]) => event(id, own)))),
  fc.nat({ max: 100 }).map((tick) => ({ tick })),
);
const steps = fc.array(step, { maxLength: 20 });

/** Each event with what was said of its item last; and the unknown items at each tick. */
function oracle(all: readonly Step[]): { readonly texts: string[]; readonly reports: string[] } {
  const known = new Map<string, string>();
  const unknown = new Map<string, number>();
  const [texts, reports]: string[][] = [[], []];
  for (const one of all) {
    if ('tick' in one && unknown.size > 0) {
      reports!.push([...unknown].map(([id, count]) => `${id}×${count}@1`).join(' '));
      unknown.clear();
    }
    if (!('feed' in one)) continue;
    for (const row of one.rows as readonly { item: string; category?: string; deleted?: number }[]) {
      if (one.feed === 'events') {
        texts!.push(`${row.item}:${row.category ?? known.get(row.item) ?? ''}`);
        if (known.size > 0 && !known.has(row.item)) unknown.set(row.item, (unknown.get(row.item) ?? 0) + 1);
      } else if (row.deleted === 1) known.delete(row.item);
      else known.set(row.item, row.category ?? '');
    }
  }
  return { texts: texts!, reports: reports! };
}

describe('the catalogue beside events', () => {
  it('is as the oracle has it, in frames of any size, whichever partition an event is in', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(steps, sizes, (all, frameSizes) => {
        const pieces = all.flatMap((one) => ('feed' in one ? framesOf(one.feed, one.rows, frameSizes) : [one]));
        for (const script of [all, pieces]) {
          const said = play(STAGE, script);
          expect({ texts: textsOf(said), reports: reportsOf(said) }).toEqual(oracle(all));
        }
        // Items reach all partitions, each event one of them.
        const own = (of: string) =>
          all.map((one) => {
            if (!('feed' in one) || one.feed !== 'events') return one;
            return { ...one, rows: one.rows.filter((row) => (row as { item: string }).item === of) };
          });
        const apart = ['1', '2', '3', '4'].flatMap((of) => textsOf(play(STAGE, own(of))));
        expect(apart.sort()).toEqual(oracle(all).texts.sort());
      }),
    );
  });

  it('says the same to the byte after a crash at any cut', () => {
    fc.assert(
      fc.property(
        steps.chain((all) => fc.tuple(fc.constant(all), cutsOf(all.length))),
        ([all, cuts]) => {
          expect(playExactly(STAGE, all, cuts).said.map(exact)).toEqual(playExactly(STAGE, all).said.map(exact));
        },
      ),
    );
  });
});
