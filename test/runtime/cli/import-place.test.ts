/** The place of an import: recorded, continued, and of one process at a time. */
import { expect, it } from 'vitest';
import { Place } from '../../../runtime/cli/import/place.js';
import { isImport, unreadableDeployment } from '../../../runtime/node/deployment.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { VirtualClock } from '../virtual-clock.js';

const at = (events: number, done = false) => ({ offset: events * 100, line: events + 1, events, refused: 1, done });

function bed() {
  const [table, clock] = [new MemoryKeyValue(), new VirtualClock()];
  return { table, clock, find: () => Place.find({ table, clock, digest: 'd', file: '/f.csv', ratingScale: '0-10' }) };
}

it('is where the last process was, unless nothing was accepted', async () => {
  const { table, find } = bed();
  const first = await find();
  expect([first.found, await first.claim()]).toEqual([undefined, { ...at(0), offset: 0, line: 0, refused: 0 }]);
  await first.reached({ ...at(0, true), refused: 9 });
  const second = await find();
  expect(await second.claim()).toMatchObject({ offset: 0, refused: 0, done: false });
  await second.reached(at(10));
  const third = await find();
  expect(third.found).toMatchObject({ ...at(10), ratingScale: '0-10', file: '/f.csv' });
  expect(await third.claim()).toMatchObject(at(10));
  const entries = await table.entries();
  expect([entries.filter(isImport).length, unreadableDeployment(entries)]).toEqual([1, []]);
});

it('is of the process that began last: an earlier one may neither record nor, after a halt, publish', async () => {
  const { find, clock } = bed();
  const first = await find();
  await first.claim();
  await first.reached(at(10));
  const second = await find();
  await second.claim();
  // What it publishes now is found to be duplicates.
  await first.confirm();
  // The machine slept, and its monotonic clock stood still.
  clock.setWall(60_000);
  await expect(first.confirm()).rejects.toMatchObject({ code: 'IMPORT_TAKEN_OVER' });
  await expect(first.reached(at(20))).rejects.toMatchObject({ code: 'IMPORT_TAKEN_OVER' });
  await second.confirm();
  expect((await find()).found).toMatchObject(at(10));
});
