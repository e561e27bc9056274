/** A folder to which files are added while it is read: which are taken in, when, and how often. */
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WatchedFolder } from '../../../connectors/csv/watched-folder.js';
import { fromBinary } from '@bufbuild/protobuf';
import { seededRandom } from '../../../actors/maths/random.js';
import type { FileRecord } from '../../../runtime/contract/ports.js';
import { ensureStreams } from '../../../runtime/contract/streams.js';
import { textOf } from '../../../runtime/frames/bytes.js';
import { StoredFileRecords } from '../../../runtime/jobs/file-records.js';
import { writeChunks } from '../../../runtime/jobs/source-writer.js';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { SILENT } from '../../runtime/tuning.js';
import { boundedToys } from '../../runtime/toy-stages.js';
import { VirtualClock } from '../../runtime/virtual-clock.js';
import { drawn, FailingLog } from '../../support/failing-log.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { MemoryLog } from '../../support/memory-log.js';

const SETTLE_MS = 5_000;
const POLL_MS = 1_000;
const TARGET = { to: 'split', from: 'folder' };

let directory: string;
let log: MemoryLog;
let table: MemoryKeyValue;
let clock: VirtualClock;
let problems: string[];
let watches: Watch[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'watched-folder-'));
  clock = new VirtualClock();
  [problems, watches] = [[], []];
  await freshLog();
});
afterEach(async () => {
  for (const { abort } of watches) abort.abort();
  // One that still reads would report to the next test that its folder is gone.
  await Promise.all(watches.map(({ ended }) => ended));
  rmSync(directory, { recursive: true, force: true });
});

async function freshLog(): Promise<void> {
  log = new MemoryLog({ nowMs: () => clock.nowMs() });
  table = new MemoryKeyValue();
  await ensureStreams(log, boundedToys(), { bytesMax: 1e9, replicas: 1 });
}

const put = (name: string, content: string | Uint8Array): void => writeFileSync(join(directory, name), content);

interface Watch {
  readonly folder: WatchedFolder;
  readonly abort: AbortController;
  /** How the writer ended. */
  readonly ended: Promise<unknown>;
}

/** Like a node that watches the folder. */
function watch(through: FailingLog | MemoryLog = log, messageBytesMax = 1_000_000): Watch {
  const abort = new AbortController();
  const { signal } = abort;
  const folder = new WatchedFolder({
    ...{ directory, settleMs: SETTLE_MS, pollMs: POLL_MS, messageBytesMax, clock, signal },
    records: new StoredFileRecords(table),
    checkHeader: (header) => (textOf(header).startsWith('h') ? [] : ['h']),
    onProblem: (message) => problems.push(message.replaceAll(`${directory}/`, '')),
    onDone: () => undefined,
  });
  const writing = writeChunks({ log: through, clock, logger: SILENT, signal }, folder, TARGET, () => undefined);
  const started = { folder, abort, ended: writing.catch((error: unknown) => error) };
  watches.push(started);
  return started;
}

const envelopes = () =>
  log.messages('RIVULET_SPLIT').map(({ data }) => {
    const { body, endsEpoch } = fromBinary(EnvelopeSchema, data);
    if (body.case !== 'chunk') throw new Error('no chunk');
    return { file: body.value.file, text: textOf(body.value.data), endsEpoch };
  });
/** What the log has: of each file its rows, in the order in which they came. */
const written = (): string[] => envelopes().map(({ file, text }) => `${file}: ${text.trim().replaceAll('\n', ' ')}`);

/** Real files take real time: lets them be read before time moves on. */
const breath = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

async function until(condition: () => boolean): Promise<void> {
  for (let step = 0; step < 20_000; step++) {
    if (condition()) return;
    await breath();
    clock.advance(POLL_MS / 20);
  }
  throw new Error(`not reached: ${condition.toString()}; the log has ${written().join(', ')}; ${problems.join(', ')}`);
}

const has = (count: number): Promise<void> =>
  until(() => envelopes().filter(({ endsEpoch }) => endsEpoch).length === count);

/** So long that what was to happen would have happened. */
async function passed(ms: number): Promise<void> {
  const endMs = clock.monotonicMs() + ms;
  await until(() => clock.monotonicMs() >= endMs);
}

describe('files that are there or come later', () => {
  it('are taken in by name, each as one epoch; also those with names before the ones that are done', async () => {
    put('m-2.csv', 'h\n2\n');
    put('m-1.csv.gz', gzipSync('h\n1\n'));
    watch();
    await has(2);
    put('a.jsonl', '{}\n');
    put('m-3.csv', 'h\n3\n');
    await has(4);
    expect(written()).toEqual(['m-1.csv.gz: 1', 'm-2.csv: 2', 'a.jsonl: {}', 'm-3.csv: 3']);
    expect(problems).toEqual([]);
  });

  it('are not taken in again by the next watch, nor when they are touched or copied back', async () => {
    put('a.csv', 'h\n1\n');
    const { abort, folder, ended } = watch();
    await has(1);
    await until(() => folder.done === 1);
    abort.abort();
    await ended;
    utimesSync(join(directory, 'a.csv'), 1, 1);
    watch();
    put('b.csv', 'h\n2\n');
    await has(2);
    unlinkSync(join(directory, 'a.csv'));
    await passed(2 * POLL_MS);
    put('a.csv', 'h\n1\n');
    await passed(90_000);
    expect(written()).toEqual(['a.csv: 1', 'b.csv: 2']);
    expect(problems).toEqual([]);
  });
});

describe('files that are being written', () => {
  it('wait until they have not changed for a while, under their own name or a temporary one', async () => {
    put('a.csv', 'h\n1\n');
    put('b.csv.part', 'h\n');
    const { folder } = watch();
    for (let row = 2; row < 6; row++) {
      await passed(SETTLE_MS * 0.7);
      appendFileSync(join(directory, 'a.csv'), `${row}\n`);
      appendFileSync(join(directory, 'b.csv.part'), `${row}\n`);
    }
    expect(written()).toEqual([]);
    expect(folder.waiting).toBe(1);
    renameSync(join(directory, 'b.csv.part'), join(directory, 'b.csv'));
    await has(2);
    expect(written()).toEqual(['a.csv: 1 2 3 4 5', 'b.csv: 2 3 4 5']);
  });

  it('wait while they are empty', async () => {
    put('a.csv', '');
    put('b.csv', 'h\n1\n');
    watch();
    await has(1);
    await passed(2 * SETTLE_MS);
    put('a.csv', 'h\n2\n');
    await has(2);
    expect(written()).toEqual(['b.csv: 1', 'a.csv: 2']);
  });
});

describe('files that cannot be taken in', () => {
  it('are reported once, and taken in when they are mended; the others go on', async () => {
    put('a.csv', 'user\n1\n');
    put('b.csv.gz', gzipSync('h\n2\n').subarray(0, 15));
    symlinkSync(join(directory, 'nowhere'), join(directory, 'c.csv'));
    mkdirSync(join(directory, 'sub'));
    symlinkSync(join(directory, 'sub'), join(directory, 'd.csv'));
    put('e.csv', 'h\n5\n');
    const { folder } = watch();
    await has(1);
    await passed(3 * SETTLE_MS);
    expect(problems.sort()).toEqual([
      expect.stringMatching(/^SOURCE_GZIP: b\.csv\.gz ends in the middle/),
      expect.stringMatching(/^SOURCE_HEADER: a\.csv, line 1: the header lacks h/),
      expect.stringMatching(/^SOURCE_UNREADABLE: cannot read c\.csv/),
      expect.stringMatching(/^SOURCE_UNREADABLE: cannot read d\.csv/),
    ]);
    expect(folder.troubles).toHaveLength(4);
    put('a.csv', 'h\n1\n');
    put('b.csv.gz', gzipSync('h\n2\n'));
    for (const name of ['c.csv', 'd.csv']) unlinkSync(join(directory, name));
    await has(3);
    await until(() => folder.troubles.length === 0);
    expect(written()).toEqual(['e.csv: 5', 'a.csv: 1', 'b.csv.gz: 2']);
    expect(problems).toHaveLength(4);
  });

  it('are taken in when they are mended without a change of size or time, as by chmod', async () => {
    const [path, atS] = [join(directory, 'a.csv'), 1_700_000_000];
    put('a.csv', 'u\n1\n');
    utimesSync(path, atS, atS);
    watch();
    await until(() => problems.length > 0);
    put('a.csv', 'h\n1\n');
    utimesSync(path, atS, atS);
    await has(1);
    expect(written()).toEqual(['a.csv: 1']);
  });

  it('are taken in when they are there again, though they were away just when they had been checked', async () => {
    put('a.csv', 'h\n1\n');
    const [path, away] = [join(directory, 'b.csv'), join(directory, 'b.away')];
    put('b.csv', 'h\n2\n');
    const write = table.put.bind(table);
    table.put = async (key, value, revision) => {
      // The record of a file is written between the two times that it is read.
      const { file, chunk, done } = JSON.parse(textOf(value)) as FileRecord;
      if (file === 'b.csv' && chunk === 0 && !done && problems.length === 0) renameSync(path, away);
      return write(key, value, revision);
    };
    watch();
    await until(() => problems.length > 0);
    expect(problems).toEqual([expect.stringMatching(/^SOURCE_UNREADABLE: cannot read b\.csv/)]);
    renameSync(away, path);
    await has(2);
    expect(written()).toEqual(['a.csv: 1', 'b.csv: 2']);
    expect(problems).toHaveLength(1);
  });

  it('are those that were done and have other content now', async () => {
    put('a.csv', 'h\n1\n');
    const { folder } = watch();
    await has(1);
    appendFileSync(join(directory, 'a.csv'), '2\n');
    await until(() => problems.length > 0);
    expect(problems).toEqual([`a.csv was taken in up to line 2, and has changed since: new rows belong in a new file`]);
    put('a.csv', 'h\n1\n');
    put('b.csv', 'h\n2\n');
    await has(2);
    await until(() => folder.troubles.length === 0);
    expect(written()).toEqual(['a.csv: 1', 'b.csv: 2']);
  });

  it('are those with a record that no message takes', async () => {
    put('a.csv', `h\n1\n${'x'.repeat(2_000)}\n`);
    put('b.csv', 'h\n2\n');
    watch(log, 1_000);
    await has(1);
    await until(() => problems.length > 0);
    expect(problems[0]).toMatch(
      /^SOURCE_RECORD_TOO_LONG: a\.csv, line 3: with the header, the record has more than 1000/,
    );
    expect(written()).toEqual(['b.csv: 2']);
  });

  it('may be the folder, for a while', async () => {
    const { folder } = watch();
    rmSync(directory, { recursive: true });
    await until(() => folder.troubles.length > 0);
    expect(problems).toEqual([expect.stringMatching(/^SOURCE_FOLDER: there is no folder/)]);
    mkdirSync(directory);
    put('a.csv', 'h\n1\n');
    await has(1);
    expect(folder.troubles).toEqual([]);
  });
});

/** Several chunks, by a small limit of messages. */
const LARGE = `h\n${Array.from({ length: 40 }, (_, i) => `${i}\n`).join('')}`;
const SMALL_MESSAGES = 40;

describe('a file that was begun', () => {
  const begun = async (): Promise<void> => {
    put('b.csv', LARGE);
    // From then on the log is away, until the node ends.
    const through = new FailingLog(log, { fate: () => (envelopes().length === 3 ? 'away' : 'done') });
    const { abort, ended } = watch(through, SMALL_MESSAGES);
    await until(() => envelopes().length === 3);
    abort.abort();
    await ended;
  };
  const rows = (): string =>
    envelopes()
      .map(({ text }) => text)
      .join('');

  it('comes first, and goes on where it was', async () => {
    await begun();
    put('a.csv', 'h\n1\n');
    watch(log, SMALL_MESSAGES);
    await has(2);
    expect(rows()).toBe(`${LARGE.slice(2)}1\n`);
  });

  it('goes on later when it is away, and is not taken in further when it has changed', async () => {
    await begun();
    put('a.csv', 'h\n1\n');
    unlinkSync(join(directory, 'b.csv'));
    const away = watch(log, SMALL_MESSAGES);
    await has(1);
    away.abort.abort();
    await away.ended;
    const read = rows().slice(0, -2);
    put('b.csv', LARGE.replace('39', '0'));
    watch(log, SMALL_MESSAGES);
    await until(() => problems.length > 0);
    const line = read.split('\n').length;
    expect(problems).toEqual([
      `b.csv was taken in up to line ${line}, and has changed since: new rows belong in a new file`,
    ]);
    put('b.csv', LARGE);
    await has(2);
    expect(rows()).toBe(`${read}1\n${LARGE.slice(2 + read.length)}`);
  });

  it('is read from where the log has it, after a restore of a log that is older than the record', async () => {
    put('a.csv', 'h\n1\n');
    put('b.csv', LARGE);
    const { abort, ended, folder } = watch(log, SMALL_MESSAGES);
    await until(() => folder.done === 2);
    abort.abort();
    await ended;
    const backup = log.messages('RIVULET_SPLIT').slice(0, 3);
    const record = await table.entries();
    await freshLog();
    for (const { key, value } of record) await table.put(key, value);
    let expected = 0;
    for (const { subject, data, headers } of backup) expected = await log.publish(subject, data, { expected, headers });
    watch(log, SMALL_MESSAGES);
    await has(2);
    expect(rows()).toBe(`1\n${LARGE.slice(2)}`);
  });
});

it('two nodes take in each file once, though acks get lost and the table is fenced', async () => {
  for (let seed = 1; seed <= 6; seed++) {
    await freshLog();
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    const random = seededRandom(seed);
    const fate = drawn(random, { 'ack-lost': 0.05, 'request-lost': 0.05, away: 0.02 });
    const abort = new AbortController();
    const running = new Set<Watch>();
    const node = async (): Promise<void> => {
      while (!abort.signal.aborted) {
        const one = watch(new FailingLog(log, { fate }), SMALL_MESSAGES);
        running.add(one);
        await one.ended;
        running.delete(one);
        one.abort.abort();
        await breath();
      }
    };
    const nodes = [node(), node()];
    const names = ['m', 'c', 'x', 'a'];
    try {
      for (const [i, name] of names.entries()) {
        put(`${name}.csv`, LARGE.replaceAll('\n', `${name}\n`).replace(`h${name}`, 'h'));
        await passed(random() * SETTLE_MS);
        if (i === 1) await has(2);
      }
      await has(names.length);
      await passed(2 * SETTLE_MS);
    } finally {
      abort.abort();
      for (const one of running) one.abort.abort();
      await Promise.all(nodes);
    }
    const all = envelopes()
      .map(({ text }) => text)
      .join('')
      .trimEnd()
      .split('\n')
      .sort();
    const expected = names.flatMap((name) => Array.from({ length: 40 }, (_, i) => `${i}${name}`)).sort();
    expect(all, `seed ${seed}`).toEqual(expected);
  }
}, 60_000);
