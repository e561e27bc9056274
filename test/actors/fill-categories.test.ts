/** The catalogue beside the events: an event without a category gets its item's, from then on. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { watermark } from '../../actors/watermark.js';
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

/** Each event with what was said of its item last. */
function oracle(all: readonly Step[]): string[] {
  const known = new Map<string, string>();
  return all.flatMap((one) => {
    if (!('feed' in one)) return [];
    const rows = one.rows as readonly { item: string; category?: string; deleted?: number }[];
    if (one.feed === 'events') return rows.map((row) => `${row.item}:${row.category ?? known.get(row.item) ?? ''}`);
    for (const row of rows) known.set(row.item, row.deleted === 1 ? '' : (row.category ?? ''));
    return [];
  });
}

describe('the catalogue beside events', () => {
  it('is as the oracle has it, in frames of any size, whichever partition an event is in', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(steps, sizes, (all, frameSizes) => {
        expect(textsOf(play(STAGE, all))).toEqual(oracle(all));
        const pieces = all.flatMap((one) => ('feed' in one ? framesOf(one.feed, one.rows, frameSizes) : [one]));
        expect(textsOf(play(STAGE, pieces))).toEqual(oracle(all));
        // Items reach all partitions, each event one of them.
        const own = (of: string) =>
          all.map((one) => {
            if (!('feed' in one) || one.feed !== 'events') return one;
            return { ...one, rows: one.rows.filter((row) => (row as { item: string }).item === of) };
          });
        const apart = ['1', '2', '3', '4'].flatMap((of) => textsOf(play(STAGE, own(of))));
        expect(apart.sort()).toEqual(oracle(all).sort());
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
