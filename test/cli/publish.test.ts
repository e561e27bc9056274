/** `rivulet publish` against a real nats-server with the streams of a node, and no node that takes anything out. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { streamOf } from '../../runtime/contract/graph.js';
import type { Log } from '../../runtime/contract/ports.js';
import { ensureStreams } from '../../runtime/contract/streams.js';
import { startTestNats, type TestNats } from '../support/nats.js';
import { messagesIn } from '../support/refused-events.js';
import { MAIN, runCli, startCli, startProgram, workingDirectory } from './run-cli.js';

const STREAM = streamOf('parse');
const { cwd, remove } = workingDirectory();
let nats: TestNats;
let log: Log;

beforeAll(async () => {
  nats = await startTestNats({ maxPayloadBytes: 64 * 1024 });
  log = await openNatsLog(await connectNats({ url: nats.url }, 'test-publish'));
  const topology = mainTopology(pipelineOptions(loadConfig({ env: {}, cwd }).config));
  await ensureStreams(log, topology, { bytesMax: 64 * 1024 * 1024, replicas: 1 });
});
afterAll(async () => {
  await log?.close();
  await nats?.stop();
  remove();
});

function fileOf(name: string, content: string | Buffer): string {
  const path = join(cwd, name);
  writeFileSync(path, content);
  return path;
}

/** What was stored behind a sequence. */
async function storedAfter(sequence: number, stream = STREAM): Promise<[subject: string, data: string][]> {
  const { lastSequence } = await log.info(stream);
  const reader = await log.read(stream, { filters: ['rivulet.>'], from: sequence + 1 });
  const stored: [string, string][] = [];
  while (stored.length < lastSequence - sequence) {
    for (const { subject, data } of await reader.take(1000)) stored.push([subject, Buffer.from(data).toString()]);
  }
  await reader.close();
  return stored;
}

const event = (user: string): string =>
  `{"event_type":"view","event_time":"2026-11-01T00:00:00Z","user_id":"${user}","item_id":"i"}`;

it('sends each record of a file, in order, plain or gzipped', async () => {
  const { lastSequence } = await log.info(STREAM);
  const file = fileOf('events.jsonl.gz', gzipSync(`${event('a')}\n${event('b.c')}\n\nno event\n`));
  const { code, stdout, stderr } = await runCli(cwd, ['publish', '--file', file, '--nats-url', nats.url]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout).toMatch(
    /^published 3 events in \d+\.\d s \([\d,]+ per second\); not published: 0\n {2}will be a dead letter: line 4: not JSON from byte 0 on: .* \[json_invalid\]\nNATS has stored them\. A node checks them .* dead letters: rivulet dlq ls\n$/,
  );
  expect(await storedAfter(lastSequence)).toEqual([
    ['rivulet.events.view.a', event('a')],
    ['rivulet.events.view', event('b.c')],
    ['rivulet.events.unknown', 'no event'],
  ]);
});

it('says what the server refuses', async () => {
  const file = fileOf('large.jsonl', `${event('u'.repeat(70_000))}\n${event('a')}\n`);
  const { code, stdout } = await runCli(cwd, ['publish', '--file', file, '--nats-url', nats.url]);
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /published 1 events .* not published: 1\n {2}not published: a message of \d+ bytes is above the server's limit of 64512\n/,
  );
});

it.each([
  [
    '--file',
    'events',
    'event_type,user_id,item_id,event_time\nview,a,i,0\nview,b,i,0,1\nview,c\n"view,d,i\nview,e,i,0\n',
    'events.view',
  ],
  ['--items', 'items', 'item_id,title,price\na,Chair,1\nb,Chair, red,1\nc,Chair\n"d,Chair,1\ne,Chair,1\n', 'items'],
])(
  '%s: does not send a row of CSV that does not fit its header, and says which',
  async (option, called, csv, subject) => {
    const stream = streamOf(option === '--file' ? 'parse' : 'parse-items');
    const { lastSequence } = await log.info(stream);
    const file = fileOf(`${called}.csv`, csv);
    const { code, stdout } = await runCli(cwd, ['publish', option, file, '--nats-url', nats.url]);
    expect(code).toBe(1);
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(`^published 2 ${called} in .*; not published: 3$`),
      expect.stringMatching(
        option === '--file'
          ? /^ {2}not published: line 3: the row has 5 columns and the header 4: quote .* \[csv_too_many_columns\]$/
          : /^ {2}not published: line 3: the row has 4 fields, the header has 3: is a comma unquoted\?$/,
      ),
      expect.stringMatching(
        option === '--file'
          ? /^ {2}not published: line 4: the row has 2 columns and the header 4: write .* \[csv_too_few_columns\]$/
          : /^ {2}not published: line 4: the row has 2 fields, the header has 3: is an absent one left out\?$/,
      ),
      expect.stringMatching(/^ {2}not published: line 5: a quote is not closed/),
      expect.stringContaining('rivulet dlq ls'),
      '',
    ]);
    const subjects = (await storedAfter(lastSequence, stream)).map(([stored]) => stored);
    expect(subjects).toEqual([`rivulet.${subject}.a`, `rivulet.${subject}.e`]);
  },
);

it('sends a line that is not UTF-8 as it is, and says how far it came in a file that is broken', async () => {
  const { lastSequence } = await log.info(streamOf('parse'));
  const latin = fileOf('latin.jsonl', Buffer.from(`${event('Andr\xe9')}\n${event('a')}\n`, 'latin1'));
  const { code, stdout } = await runCli(cwd, ['publish', '--file', latin, '--nats-url', nats.url]);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^published 2 .*not published: 0\n {2}will be a dead letter: line 1: .* \[invalid_utf8\]/),
  ]);
  expect((await messagesIn(log, 'parse')).at(-2)?.data.includes(0xe9)).toBe(true);
  const whole = gzipSync(`${event('b')}\n`.repeat(50_000));
  const cut = fileOf('cut.jsonl.gz', whole.subarray(0, whole.length - 20));
  const { code: ended, stderr } = await runCli(cwd, ['publish', '--file', cut, '--nats-url', nats.url]);
  expect(ended).not.toBe(0);
  const [, said] = /^([\d,]+) events are published; the same command would send them again/m.exec(stderr)!;
  expect(await storedAfter(lastSequence)).toHaveLength(2 + Number(said!.replaceAll(',', '')));
});

it('reads from standard input, and says of many rows that do not fit which the first hundred are', async () => {
  const { lastSequence } = await log.info(streamOf('parse'));
  const file = fileOf('many.csv', `event_type,user_id,item_id,event_time\nview,a,i,0\n${'view,b\n'.repeat(102)}`);
  const publishing = (...args: readonly string[]) =>
    startProgram(cwd, 'sh', [
      ...['-c', 'cat "$0" | "$@"', file, process.execPath, MAIN, 'publish', '--nats-url', nats.url],
      ...['--file', '-', ...args],
    ]).ended;
  const unnamed = await publishing();
  expect([unnamed.code, unnamed.stderr]).toEqual([2, expect.stringContaining('what standard input holds')]);
  const { code, stdout } = await publishing('--format', 'csv');
  expect(code).toBe(1);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(103);
  expect(lines.slice(0, 2)).toEqual([
    expect.stringMatching(/^published 1 events .* not published: 102$/),
    expect.stringContaining('not published: line 3: the row has 2 columns'),
  ]);
  expect(lines.at(-2)).toBe('  not published: 2 more');
  const said = JSON.parse((await publishing('--format', 'csv', '--json')).stdout);
  expect(said).toMatchObject({ published: 1, refused: 102, faults_left_out: 2 });
  expect(said.faults[0]).toMatchObject({ line: 3, rule: 'csv_too_few_columns' });
  expect(await storedAfter(lastSequence)).toHaveLength(2);
});

it('keeps to the rate', async () => {
  const file = fileOf('some.jsonl', `${event('a')}\n`.repeat(21));
  const { stdout } = await runCli(cwd, ['publish', '--file', file, '--rate', '40', '--json', '--nats-url', nats.url]);
  const { published, seconds } = JSON.parse(stdout);
  expect(published).toBe(21);
  expect(seconds).toBeGreaterThan(0.45);
});

it('says how far it came when it is interrupted, and exits with 130', async () => {
  const { lastSequence } = await log.info(STREAM);
  const file = fileOf('slow.jsonl', `${event('a')}\n`.repeat(1000));
  const { child, ended } = startCli(cwd, ['publish', '--file', file, '--rate', '1', '--nats-url', nats.url]);
  while ((await log.info(STREAM)).lastSequence === lastSequence);
  child.kill('SIGINT');
  const { code, stderr } = await ended;
  expect(code).toBe(130);
  expect(stderr).toMatch(/^interrupted: [12] events are published; the same command would send them again\n$/);
});
