/** What is known of items, against lists that sort all of them anew; also after a restart, and when there are too many. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampledEvents } from '../../../actors/model.js';
import { HALF_LIVES_MS, ItemSignals, itemSignals } from '../../../actors/ranking/item-signals.js';
import { nameTables } from '../../../actors/state/numbered-names.js';
import { frameOf } from '../../../runtime/contract/stage.js';
import type { StageState, StateSpec } from '../../../runtime/state/kinds.js';

interface Event {
  readonly item: string;
  /** Minutes after START. */
  readonly at: number;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number;
}

const START = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

const newState = () => ({ items: itemSignals().create(), names: nameTables().create() });
type State = ReturnType<typeof newState>;

function count(signals: ItemSignals, events: readonly Event[]): void {
  const rows = events.map(({ at, ...event }) => ({
    price: NaN,
    user: 'u',
    past: 0,
    ...event,
    time: START + at * MINUTE,
  }));
  const frame = frameOf(sampledEvents, rows);
  const counter = signals.counterOf(frame, signals.numbersOf(frame));
  rows.forEach((_, row) => {
    counter(row);
  });
}

/** As after a restart: what was stored, and nothing else. */
function restarted({ items, names }: State): State {
  const again = <T extends StageState>(spec: StateSpec<T>, state: T): T => {
    const stored = [...state.cut()].map(({ key, value }) => [key, value!] as const);
    const next = spec.create();
    next.restore({ get: (key) => new Map(stored).get(key), entries: () => stored });
    return next;
  };
  return { items: again(itemSignals(), items), names: again(nameTables(), names) };
}

const texts = (signals: ItemSignals, numbers: readonly number[]): string[] => numbers.map((one) => signals.text(one));

const event: fc.Arbitrary<Event> = fc.record({
  item: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  at: fc.integer({ min: 0, max: 3_000 }),
  category: fc.constantFrom(undefined, 'x', 'y.z', 'x|y'),
  brand: fc.constantFrom(undefined, 'acme', 'zeta'),
});

/** The value that an item's latest event had, of those with one; of several at one time the last by text. */
function latest(events: readonly Event[], item: string, field: 'category' | 'brand'): string | undefined {
  const known = events.filter((one) => one.item === item && one[field] !== undefined);
  const main = (text: string): string => text.replace(/\..*/, '');
  return known
    .map((one) => [one.at, field === 'category' ? main(one[field]!) : one[field]!] as const)
    .sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1))
    .at(-1)?.[1];
}

describe('the lists', () => {
  it('are those of a sort of all items, whatever changes, also after a restart', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(event, { minLength: 1, maxLength: 6 }), { minLength: 1, maxLength: 6 }),
        (frames) => {
          const state = newState();
          const signals = new ItemSignals(state.items, state.names);
          for (const frame of frames) count(signals, frame);
          const all = frames.flat();
          const first = [...new Set(all.map(({ item }) => item))];
          const lately = (item: string, halfLifeMs: number): number =>
            all.filter((one) => one.item === item).reduce((sum, { at }) => sum + 2 ** ((at * MINUTE) / halfLifeMs), 0);
          const sorted = (items: readonly string[], by: (item: string) => number): string[] =>
            [...items].sort((a, b) => by(b) - by(a) || first.indexOf(a) - first.indexOf(b));
          // Sums that are equal but for rounding are in any order: those of the same events are equal.
          const distinct = (items: readonly string[], by: (item: string) => number): boolean =>
            items.every((a) => items.every((b) => a === b || Math.abs(by(a) / by(b) - 1) > 1e-9 || by(a) === by(b)));
          for (const known of [signals, ((s: State) => new ItemSignals(s.items, s.names))(restarted(state))]) {
            expect(texts(known, known.top('count'))).toEqual(sorted(first, (item) => lately(item, Infinity)));
            const byHours = (item: string): number => lately(item, HALF_LIVES_MS.hours);
            if (!distinct(first, byHours)) return;
            for (const category of ['x', 'y']) {
              const inIt = first.filter(
                (item) => latest(all, item, 'category')?.split('|').includes(category) === true,
              );
              const number = known.categoryNumber(category);
              expect(texts(known, known.group(number))).toEqual(sorted(inIt, byHours));
              const ofAcme = inIt.filter((item) => latest(all, item, 'brand') === 'acme');
              const acme = ofAcme.length === 0 ? 0 : known.rows.values.brand[known.find(ofAcme[0]!)!]!;
              if (acme !== 0) expect(texts(known, known.group(number, acme))).toEqual(sorted(ofAcme, byHours));
            }
          }
        },
      ),
    );
  });

  it('of too many items have the half on which most was done within a day, with new numbers', () => {
    const state = newState();
    const signals = new ItemSignals(state.items, state.names, 4);
    count(signals, [
      ...['a', 'b', 'c', 'd', 'e'].map((item, i) => ({ item, at: i })),
      ...['b', 'd', 'e'].map((item, i) => ({ item, at: 10 + i })),
    ]);
    const numbers = signals.dropRare()!;
    expect(['a', 'b', 'c', 'd', 'e'].map((item) => signals.find(item))).toEqual([undefined, 0, undefined, 1, 2]);
    expect([...numbers].map((one) => (one === 0xffffffff ? 'dropped' : one))).toEqual(['dropped', 0, 'dropped', 1, 2]);
    expect(texts(signals, signals.top('count'))).toEqual(['b', 'd', 'e']);
    expect(signals.dropRare()).toBeUndefined();
  });
});

it('an item has the price of its newest event that had one, and the times of its first and its newest', () => {
  const state = newState();
  const signals = new ItemSignals(state.items, state.names);
  count(signals, [
    { item: 'a', at: 5, price: 10 },
    { item: 'a', at: 2, price: 99 },
    { item: 'a', at: 9 },
  ]);
  const { firstTime, lastTime } = signals.rows.values;
  expect(signals.factsOf(0)).toEqual({ brand: undefined, price: 10 });
  expect([firstTime[0], lastTime[0], signals.latestMs]).toEqual([2, 9, 9].map((at) => START + at * MINUTE));
});
