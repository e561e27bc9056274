/** Decayed counts, computed once: they are those of a plain computation, whatever changes in between. */
import { expect, it } from 'vitest';
import { sampledEvents } from '../../../actors/model.js';
import { FadedCounts, LOGS } from '../../../actors/ranking/faded-counts.js';
import { itemSignals, ItemSignals } from '../../../actors/ranking/item-signals.js';
import { nameTables } from '../../../actors/state/numbered-names.js';
import { frameOf } from '../../../runtime/contract/stage.js';

const NOON = Date.UTC(2026, 0, 1, 12);
const MINUTE = 60_000;

it('follow events, time, and new numbers of the items', () => {
  const signals = new ItemSignals(itemSignals().create(), nameTables().create(), 3);
  const faded = new FadedCounts(signals);
  const seenAt = (time: number, ...items: readonly string[]): void => {
    const frame = frameOf(
      sampledEvents,
      items.map((item) => ({ time, user: 'u', item, price: NaN, past: 0 })),
    );
    const count = signals.counterOf(frame, signals.numbersOf(frame));
    items.forEach((_, row) => {
      count(row);
    });
  };
  const logs = (item: string, atMs: number): number[] => {
    const at = faded.logsAt(signals.find(item)!, atMs);
    return [faded.logs[at]!, faded.logs[at + LOGS - 1]!];
  };
  const seen = (...items: readonly string[]): void => {
    seenAt(NOON, ...items);
  };
  const [one, two, three] = [Math.log(2), Math.log(3), Math.log(4)];
  seen('a', 'a', 'b');
  expect(logs('a', NOON)).toEqual([two, two].map((log) => expect.closeTo(log, 9)));
  expect(logs('b', NOON)).toEqual([one, one].map((log) => expect.closeTo(log, 9)));
  // After ten minutes half of the first is left.
  expect(logs('a', NOON + 10 * MINUTE)).toEqual([one, two].map((log) => expect.closeTo(log, 9)));
  seen('a');
  expect(logs('a', NOON + 10 * MINUTE)).toEqual([Math.log(2.5), three].map((log) => expect.closeTo(log, 9)));
  expect(faded.hours(signals.find('a')!, NOON + 360 * MINUTE)).toBeCloseTo(1.5, 9);

  logs('b', NOON);
  seen('d');
  seenAt(NOON + MINUTE, 'c');
  signals.dropRare();
  // b is gone, and c, which was seen as often, but a minute later, has its number.
  expect([signals.find('b'), signals.find('c')]).toEqual([undefined, 1]);
  expect(logs('c', NOON)).toEqual([Math.log1p(2 ** 0.1), one].map((log) => expect.closeTo(log, 9)));
});
