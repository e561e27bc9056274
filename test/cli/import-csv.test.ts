/** `rivulet import csv` into a node that runs: a file with names, words and times of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { eventually } from '../support/eventually.js';
import { countersIn } from '../support/live-nodes.js';
import { type Ended, runCli } from './run-cli.js';
import { smallBed } from './small-node.js';

const bed = smallBed();
const imported = (...args: readonly string[]): Promise<Ended> =>
  runCli(bed.cwd, ['import', 'csv', ...args, '--nats-url', bed.server.url]);

/** As RetailRocket has them: epoch milliseconds, numbers, its own words, and a column that most rows leave empty. */
const EVENTS = [
  'timestamp,visitorid,event,itemid,transactionid',
  '1433221332117,257597,view,355908,',
  '1433221333117,257597,addtocart,355908,',
  '1433224214164,992329,view,355908,',
  '1433224214165,992329,view,248676,',
  '1433222276276,111016,transaction,248676,7063',
  '1433221955914,111016,view,318965,',
  '1433221955915,111016,view,355908,',
  'soon,483717,view,253185,',
].join('\n');
const COLUMNS = [
  ...['--map', 'time=timestamp,user=visitorid,type=event,item=itemid'],
  ...['--type-map', 'addtocart=cart,transaction=purchase', '--time', 'ms'],
];

it('imports the events of RetailRocket, once, and recommends to its users what others saw', async () => {
  const node = await bed.nodes.start('node');
  writeFileSync(join(bed.cwd, 'events.csv.gz'), gzipSync(EVENTS));
  const first = await imported('events.csv.gz', ...COLUMNS, '--json');
  expect([first.code, first.stderr]).toEqual([1, '']);
  expect(JSON.parse(first.stdout)).toMatchObject({
    ...{ files_done: 1, events: 7, refused: 1 },
    refusals: ['events.csv.gz, line 9: event_time is "soon": --time ms wants epoch milliseconds [time_invalid]'],
  });

  const client = await connectRivulet(node.address);
  try {
    await eventually(async () => {
      const query = { userId: '257597', strategy: 'co-visitation', excludeSeen: true };
      const { items } = await client.getRecommendations(query);
      expect(items.map(({ itemId, type }) => [itemId, type])).toContainEqual(['248676', 'streaming_co_visitation']);
    });
  } finally {
    client.close();
  }

  const again = await imported('events.csv.gz', ...COLUMNS, '--json');
  expect(JSON.parse(again.stdout)).toMatchObject({ events: 0, before: 7, imported_before: 1, refused: 1 });
  const otherwise = await imported('events.csv.gz', ...COLUMNS.slice(0, 2), '--set', 'brand=acme');
  expect([otherwise.code, otherwise.stderr]).toEqual([
    2,
    expect.stringMatching(
      /was imported with --map .*,user_id=visitorid --type-map .* --time ms, and its events count so/,
    ),
  ]);
  await node.stop();
  expect(await countersIn([join(bed.cwd, 'node')])).toMatchObject({ events: 7, dead_letter: 0, late: 0 });
}, 120_000);

it('names the columns of the file where some are not mapped, and fields that there are not', async () => {
  await bed.nodes.start('node');
  writeFileSync(join(bed.cwd, 'events.csv'), EVENTS);
  const few = await imported('events.csv', '--map', 'user=visitorid,item=itemid', '--set', 'type=view');
  expect([few.code, few.stderr]).toEqual([
    2,
    expect.stringMatching(
      /is mapped to event_time; it has timestamp, visitorid, event, itemid, transactionid \[USAGE\]/,
    ),
  ]);
  const none = await imported('events.csv', '--map', 'visitor=visitorid');
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('There is no field "visitor": event_id, ')]);
});
