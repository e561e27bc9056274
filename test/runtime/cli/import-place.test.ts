/** The place of an import: recorded, continued, of one process and one file at a time. */
import { expect, it } from 'vitest';
import { giveUp, importsIn, Place, readImports } from '../../../runtime/cli/import/place.js';
import { FAILOVER_MS } from '../../../runtime/supervision/retry.js';
import { transient } from '../../../runtime/contract/errors.js';
import { IMPORT_KEY, isImport, unreadableDeployment } from '../../../runtime/node/deployment.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { until, VirtualClock } from '../virtual-clock.js';

const at = (events: number) => ({ offset: events * 100, line: events + 1, events, refused: 1 });
const BEGINNING = { offset: 0, line: 0, events: 0, refused: 0 };

function bed() {
  const [table, clock] = [new MemoryKeyValue(), new VirtualClock()];
  const given = { table, clock };
  const open = (digest = 'd') => Place.open({ ...given, digest, file: `/${digest}.csv`, ratingScale: '0-10' });
  return { table, clock, given, open };
}

it('is where the last process was, and is begun by its first message', async () => {
  const { table, open, given } = bed();
  const first = await open();
  expect([first.latest, await table.entries()]).toEqual([BEGINNING, []]);
  // Nothing of it was accepted.
  await first.done(at(0));
  expect(await table.entries()).toEqual([]);
  await first.confirm();
  expect((await readImports(given)).begun).toMatchObject(BEGINNING);
  const second = await open();
  expect(second.latest).toEqual(BEGINNING);
  await second.reached(at(10));
  const third = await open();
  expect(third.latest).toEqual(at(10));
  await third.done(at(20));
  const entries = await table.entries();
  expect([entries.filter(isImport).length, unreadableDeployment(entries)]).toEqual([1, []]);
  expect(importsIn(entries)).toEqual({
    begun: undefined,
    ended: [expect.objectContaining({ ...at(20), digest: 'd', file: '/d.csv', ratingScale: '0-10', end: 'done' })],
  });
});

it('is of the process that began last: an earlier one may neither record nor, after a halt, publish', async () => {
  const { open, clock, given } = bed();
  const first = await open();
  await first.reached(at(10));
  const second = await open();
  // What it publishes now is found to be duplicates.
  await first.confirm();
  // The machine slept, and its monotonic clock stood still.
  clock.setWall(60_000);
  await expect(first.confirm()).rejects.toMatchObject({ code: 'IMPORT_TAKEN_OVER' });
  await expect(first.reached(at(20))).rejects.toMatchObject({ code: 'IMPORT_TAKEN_OVER' });
  await second.confirm();
  expect((await readImports(given)).begun).toMatchObject(at(10));
  // Done or given up by another.
  await giveUp(given, (await readImports(given)).begun!);
  await expect(second.reached(at(20))).rejects.toMatchObject({ code: 'IMPORT_TAKEN_OVER' });
});

it('is of one file at a time, until that is done or given up', async () => {
  const { open, table, given } = bed();
  const [first, other] = [await open('a'), await open('b')];
  await first.confirm();
  await expect(open('b')).rejects.toMatchObject({ code: 'IMPORT_UNFINISHED' });
  await expect(other.confirm()).rejects.toMatchObject({ code: 'IMPORT_UNFINISHED' });
  const begun = await table.get(IMPORT_KEY);
  await first.done(at(10));
  // A kill between the record of the end and the removal.
  await table.put(IMPORT_KEY, begun!.value);
  expect(await readImports(given)).toMatchObject({ begun: undefined, ended: [{ digest: 'a', end: 'done' }] });
  await other.confirm();
  await giveUp(given, (await readImports(given)).begun!);
  const { begun: none, ended } = await readImports(given);
  expect([none, ended.map(({ digest, end }) => [digest, end])]).toEqual([
    undefined,
    [
      ['a', 'done'],
      ['b', 'given up'],
    ],
  ]);
});

it('outlasts failures of NATS, however many there are', async () => {
  const { open, table, clock } = bed();
  const place = await open();
  const put = table.put.bind(table);
  for (let failures = 1; failures <= 3; failures++) {
    let isAway = true;
    table.put = (...entry) => (isAway ? Promise.reject(transient('LOG_UNREACHABLE', 'away')) : put(...entry));
    const recorded = place.reached(at(failures));
    const backAtMs = clock.monotonicMs() + FAILOVER_MS * 0.6;
    await until(clock, () => clock.monotonicMs() >= backAtMs);
    isAway = false;
    clock.wakeNext();
    await recorded;
  }
  expect(place.latest).toEqual(at(3));
});
