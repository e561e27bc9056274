/** `rivulet import events` into a node that runs: files in, each event once, whatever happens in between. */
import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { StreamArchive } from '../../connectors/nats/log/stream-archive.js';
import { openNodes } from '../../runtime/cli/buckets.js';
import { Hold } from '../../runtime/cli/backup/hold.js';
import { systemClock } from '../../runtime/contract/clock.js';
import { BUCKETS } from '../../runtime/node/buckets.js';
import { deploymentAmong, importRecordIn, isImport, unreadableDeployment } from '../../runtime/node/deployment.js';
import { eventually } from '../support/eventually.js';
import { countersIn } from '../support/live-nodes.js';
import { startTestNats } from '../support/nats.js';
import { type Ended, type Running, startCli } from './run-cli.js';
import { smallBed } from './small-node.js';

const bed = smallBed();

const importing = (file: string, ...more: readonly string[]): Running =>
  startCli(bed.cwd, ['import', 'events', file, '--nats-url', bed.server.url, ...more]);
const imported = (file: string, ...more: readonly string[]): Promise<Ended> => importing(file, ...more).ended;

function fileOf(name: string, content: string | Buffer): string {
  const path = join(bed.cwd, name);
  writeFileSync(path, content);
  return path;
}

const viewOf = (n: number, fields: object = {}): string =>
  JSON.stringify({
    ...{ event_type: 'view', event_time: new Date(Date.UTC(2026, 0, 1) + n * 1000).toISOString() },
    ...{ user_id: `u${n % 97}`, item_id: `i${n % 53}`, ...fields },
  });
const views = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, n) => `${viewOf(from + n)}\n`).join('');

const table = () => openKeyValue(bed.connection, { bucket: BUCKETS.deployment, replicas: 1 });
const records = async () => (await (await table()).entries()).filter(isImport).map((entry) => importRecordIn(entry)!);
const begun = async () => (await records()).find(({ end }) => end === undefined);
/** Until an import has recorded a place within its file; `events: 0`: until it has begun. */
const underWay = (events = 1): Promise<void> =>
  eventually(async () => {
    expect((await begun())?.events).toBeGreaterThanOrEqual(events);
  });
const killed = async ({ child, ended }: Running): Promise<void> => {
  child.kill('SIGKILL');
  await ended;
};

const NOTHING = { dead_letter: 0, duplicates: 0, late: 0 };

/** Records its place each 5,000 events, and lets the node remember as many as must be. */
const SMALL_STEPS = ['--set', 'pipeline.duplicateIdsMax=20000'];

it('imports files of each format, with a summary, and none of them twice', async () => {
  const node = await bed.nodes.start('node', '--set', 'pipeline.schema=rees46-strict');
  const csv = fileOf(
    'shop.csv',
    'event_time,event_type,product_id,category_code,price,user_id\n' +
      '2026-01-01T10:00:00Z,purchase,11,home.chair,5,1\n2026-01-01T10:00:01Z,purchase,12,home.chair,5,1\n',
  );
  const line = viewOf(1, { user_id: 1, item_id: undefined, product_id: 13 });
  const jsonl = fileOf('shop.jsonl.gz', gzipSync(`${line}\nno event\n${viewOf(2)}\n`));
  const { code, stdout, stderr } = await imported(csv, jsonl);
  expect([code, stderr]).toEqual([1, '']);
  expect(stdout.split('\n')).toEqual([
    expect.stringMatching(/^imported 3 events in \d+\.\d s \([\d,]+ per second\); refused: 2$/),
    expect.stringMatching(/^ {2}refused: .*shop\.jsonl\.gz, line 2: not JSON from byte 0 on: .* \[json_invalid\]$/),
    expect.stringMatching(/^ {2}refused: .*shop\.jsonl\.gz, line 3: .* \[missing_field\]$/),
    'To import what was refused, put it, corrected, into a file of its own.',
    '',
  ]);
  await node.knows('11', '12');

  const again = await imported(csv, jsonl, '--json');
  expect([again.code, JSON.parse(again.stdout)]).toEqual([
    1,
    expect.objectContaining({ events: 0, before: 3, imported_before: 2, refused: 2, refusals_left_out: 2 }),
  ]);
  const alone = await imported(csv);
  expect([alone.code, alone.stdout]).toEqual([
    0,
    expect.stringMatching(/^.*shop\.csv: imported before, on 2\d{3}-.* UTC \(2 events, 0 refused\): nothing to do\n$/),
  ]);

  appendFileSync(csv, '2026-01-01T10:00:02Z,purchase,13,home.chair,5,1\n');
  const grown = await imported(csv);
  expect([grown.code, grown.stderr]).toEqual([
    2,
    expect.stringMatching(/was imported on .* with other contents \(2 events\).*\nhint: put new events into a file of/),
  ]);
  writeFileSync(
    csv,
    'event_time,event_type,product_id,category_code,price,user_id\n2026-01-01T10:00:03Z,view,14,,,1\n',
  );
  expect(JSON.parse((await imported(csv, '--changed', '--json')).stdout)).toMatchObject({ events: 1, files_done: 1 });
  await node.stop();
  expect(await countersIn([join(bed.cwd, 'node')])).toMatchObject({ ...NOTHING, events: 4 });
}, 120_000);

it('finds events that were live to be duplicates, in any source partition; maps ratings', async () => {
  const node = await bed.nodes.start('node', '--set', 'sourcePartitions=3');
  const lines = Array.from({ length: 50 }, (_, n) =>
    viewOf(n, { event_id: `e${n}`, user_id: n === 7 ? 'a.b' : `u${n}` }),
  );
  const file = fileOf('live.jsonl', lines.join('\n'));
  await startCli(bed.cwd, ['publish', '--file', file, '--nats-url', bed.server.url]).ended;
  expect(JSON.parse((await imported(file, '--json')).stdout)).toMatchObject({ events: 50, refused: 0 });

  const ratings = fileOf('ratings.csv', 'userId,movieId,rating,timestamp\n1,10,0,1\n1,11,10,2\n1,12,11,3\n2,10,4,4\n');
  const scaled = await imported(ratings, '--rating-scale', '0-10', '--json');
  expect([scaled.code, JSON.parse(scaled.stdout)]).toEqual([
    1,
    expect.objectContaining({
      events: 3,
      refused: 1,
      refusals: [expect.stringContaining('rating is 11: send 0 to 10')],
    }),
  ]);
  const other = await imported(ratings, '--rating-scale', '0-5');
  expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/with --rating-scale 0-10.*\[USAGE\]/)]);
  await node.stop();
  expect(await countersIn([join(bed.cwd, 'node')])).toMatchObject({ ...NOTHING, events: 103, duplicates: 50 });
  const log = await openNatsLog(bed.connection);
  const { lastSequence } = await log.info('RIVULET_PARSE');
  const reader = await log.read('RIVULET_PARSE', { filters: ['rivulet.parse.*.events.past.>'], from: 1 });
  const found: string[] = [];
  for (let at = 0; at < lastSequence && found.length < 53;) {
    for (const { sequence, data } of await reader.take(100)) {
      at = sequence;
      found.push(...Buffer.from(data).toString().trimEnd().split('\n'));
    }
  }
  await reader.close();
  expect(
    found
      .filter((one) => one.includes('"rating":'))
      .map((one) => JSON.parse(one).rating)
      .sort(),
  ).toEqual([0.5, 2.3, 5]);
}, 120_000);

it('goes on after kill -9 and after Ctrl-C, and every event counts once; not with another file or scale', async () => {
  const node = await bed.nodes.start('node', ...SMALL_STEPS);
  const events = 60_000;
  const file = fileOf('long.jsonl', `no event\n${views(0, events)}`);
  const first = importing(file);
  await underWay(0);
  await killed(first);
  const reached = (await begun())!.events;
  expect(reached).toBeLessThan(events);

  appendFileSync(file, `${viewOf(events)}\n`);
  const changed = await imported(file);
  expect([changed.code, changed.stderr]).toEqual([2, expect.stringMatching(/has changed since its import began/)]);
  writeFileSync(file, `no event\n${views(0, events)}`);
  const scaled = await imported(file, '--rating-scale', '0-10');
  expect([scaled.code, scaled.stderr]).toEqual([2, expect.stringMatching(/was imported without --rating-scale/)]);

  const second = importing(file);
  await underWay(reached + 1);
  second.child.kill('SIGINT');
  const { code, stdout, stderr } = await second.ended;
  expect([code, stderr]).toEqual([130, 'interrupted: the same command goes on where this one stopped\n']);
  expect(stdout).toMatch(/^imported [\d,]+ events in .*refused: 1/);

  const third = await imported(file, '--json');
  expect(third.code, third.stderr).toBe(1);
  const summary = JSON.parse(third.stdout) as { events: number; before: number };
  expect(summary).toMatchObject({ refused: 1, refusals: [], refusals_left_out: 1 });
  expect(summary.before).toBeGreaterThan(reached);
  expect(summary.events + summary.before).toBe(events);
  await node.stop();
  const counters = await countersIn([join(bed.cwd, 'node')]);
  expect(counters.events - counters.duplicates).toBe(events);
  expect(counters).toMatchObject({ dead_letter: 0, late: 0 });
}, 240_000);

it('imports one file at a time: another waits until the first is done, or given up', async () => {
  const node = await bed.nodes.start('node', '--set', 'pipeline.duplicateIdsMax=4000');
  const [one, two] = [fileOf('one.jsonl', views(0, 10_000)), fileOf('two.jsonl', views(20_000, 40_000))];
  const first = importing(one);
  await underWay(0);
  await killed(first);
  const refused = await imported(two);
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringMatching(
      new RegExp(`${one} is being imported, .*\\[IMPORT_UNFINISHED\\]\nhint: [\\d,]+ events of it .*give-up ${one}\n$`),
    ),
  ]);
  const source = await startTestNats();
  const replayed = await startCli(bed.cwd, ['history', 'replay', '--nats-url', source.url, '--into', bed.server.url])
    .ended;
  await source.stop();
  expect([replayed.code, replayed.stderr]).toEqual([1, expect.stringContaining('[IMPORT_UNFINISHED]')]);
  expect(await imported(one)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^imported [\d,]+ events/) });
  expect(await imported(two)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^imported 20,000 events/) });
  await node.stop();
  const counters = await countersIn([join(bed.cwd, 'node')]);
  expect(counters.events - counters.duplicates).toBe(30_000);
}, 240_000);

it('gives up a file that cannot be continued: others can be imported then, and it never again', async () => {
  await bed.nodes.start('node', ...SMALL_STEPS);
  const [lost, other] = [fileOf('lost.jsonl', views(0, 60_000)), fileOf('other.jsonl', viewOf(1))];
  const first = importing(lost);
  await underWay(0);
  await killed(first);
  const giveUp = (file: string): Promise<Ended> =>
    startCli(bed.cwd, ['import', 'give-up', file, '--nats-url', bed.server.url]).ended;
  expect(await giveUp(other)).toMatchObject({ code: 2, stderr: expect.stringContaining(`it is ${lost}`) });
  expect(await giveUp('lost.jsonl')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/lost\.jsonl is given up: /),
  });
  expect(await giveUp(lost)).toMatchObject({ code: 2, stderr: expect.stringContaining('no import has begun') });
  expect(await imported(lost)).toMatchObject({ code: 2, stderr: expect.stringContaining('was given up on') });
  expect(await imported(other)).toMatchObject({ code: 0, stderr: '' });
}, 120_000);

it('waits while NATS restarts, and says how far it came where a later file cannot be read', async () => {
  const node = await bed.nodes.start('node', ...SMALL_STEPS);
  // More than it publishes without a look at what is processed.
  const events = 130_000;
  const long = fileOf('long.jsonl', views(0, events));
  const later = fileOf('later.jsonl', viewOf(1));
  const broken = fileOf('broken.jsonl.gz', gzipSync(viewOf(2)).subarray(0, 20));
  const running = importing(long, later, broken, '--json');
  await underWay(70_000);
  process.kill(bed.server.pid, 'SIGKILL');
  // Its size when the command began does not count.
  writeFileSync(later, `${viewOf(1)}\n${viewOf(3)}\n`);
  const { code, stdout, stderr } = await running.ended;
  expect([code, stderr]).toEqual([1, expect.stringContaining('[SOURCE_GZIP]')]);
  expect(JSON.parse(stdout)).toMatchObject({ files: 3, files_done: 2, events: events + 2, refused: 0 });
  // Ends when the node has processed all.
  expect(await imported(fileOf('last.jsonl', viewOf(4)))).toMatchObject({ code: 0, stderr: '' });
  await node.stop();
  const counters = await countersIn([join(bed.cwd, 'node')]);
  expect(counters.events - counters.duplicates).toBe(events + 3);
}, 240_000);

it('records its place as often as few ids that are remembered require', async () => {
  const node = await bed.nodes.start('node', '--set', 'pipeline.duplicateIdsMax=400');
  const rows = Array.from({ length: 3_000 }, (_, n) => `${n % 7},${n % 11},3,${n}\n`).join('');
  const file = fileOf('ratings.csv', `userId,movieId,rating,timestamp\n${rows}`);
  const first = importing(file);
  await underWay();
  await killed(first);
  expect((await begun())!.events % 3_000).toBeGreaterThan(0);
  const { code, stdout, stderr } = await imported(file, '--json');
  expect([code, stderr]).toEqual([0, '']);
  const { events, before } = JSON.parse(stdout) as { events: number; before: number };
  expect(events + before).toBe(3_000);
  await node.stop();
  const counters = await countersIn([join(bed.cwd, 'node')]);
  expect(counters.events - counters.duplicates).toBe(3_000);
}, 120_000);

it('waits while a backup is taken, whose records are older than its messages, and imports everything behind it', async () => {
  await bed.nodes.start('node');
  const events = 30_000;
  const file = fileOf('past.jsonl', views(0, events));
  const nodes = await openNodes(await StreamArchive.open(bed.connection), bed.connection);
  const hold = await Hold.take(nodes!, systemClock, 'a backup');
  const waiting = importing(file, '--json');
  await waiting.printed(/a backup is being taken: the import waits for its end/);
  expect(await records()).toEqual([]);
  await hold.release();
  const { code, stdout } = await waiting.ended;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ events, refused: 0 });
}, 120_000);

it('of two imports of one file the later goes on, and every event counts once', async () => {
  const node = await bed.nodes.start('node', '--set', 'pipeline.duplicateIdsMax=80000');
  const events = 60_000;
  const file = fileOf('long.jsonl', views(0, events));
  const first = importing(file);
  await underWay();
  first.child.kill('SIGSTOP');
  const two = await imported(file);
  first.child.kill('SIGCONT');
  const one = await first.ended;
  expect([one.code, one.stderr]).toEqual([1, expect.stringContaining('[IMPORT_TAKEN_OVER]')]);
  expect(two.code, two.stderr).toBe(0);
  await node.stop();
  const counters = await countersIn([join(bed.cwd, 'node')]);
  expect(counters.events - counters.duplicates).toBe(events);
}, 240_000);

it('says what it cannot do, and leaves records that are known to be ours', async () => {
  const file = fileOf('few.jsonl', views(0, 3));
  for (const [args, expected] of [
    [[file], /no node runs on this NATS \[NODE_NOT_FOUND\]\nhint: start one/],
    [['-'], /standard input cannot be read again .*\[USAGE\]/],
    [[join(bed.cwd, 'none.csv')], /there is no file .*none\.csv \[USAGE\]/],
    [[fileOf('events.txt', '')], /cannot tell from its name .* \[USAGE\]\nhint: give --format/],
    [[file, '--rating-scale', '5-1'], /Give the lowest and the highest rating/],
  ] as const) {
    const [first, ...more] = args;
    const { code, stderr } = await imported(first, ...more);
    expect([code, stderr]).toEqual([expected.source.includes('NODE') ? 3 : 2, expect.stringMatching(expected)]);
  }
  await bed.nodes.start('node');
  const header = await imported(fileOf('header.csv', 'a,b\n1,2\n'));
  expect([header.code, header.stderr]).toEqual([2, expect.stringContaining('[SOURCE_HEADER]')]);
  // Nothing of it was accepted: with the right scale it begins anew.
  const ratings = fileOf('r.csv', 'userId,movieId,rating,timestamp\n1,10,50,1\n');
  expect(JSON.parse((await imported(ratings, '--json')).stdout)).toMatchObject({ events: 0, refused: 1 });
  expect(JSON.parse((await imported(ratings, '--rating-scale', '0-100', '--json')).stdout)).toMatchObject({
    events: 1,
  });
  const entries = await (await table()).entries();
  expect(entries.filter(isImport)).toHaveLength(1);
  expect(unreadableDeployment(entries)).toEqual([]);
  expect(deploymentAmong(entries)).toMatchObject({ partitions: 1 });
}, 120_000);
