/** A popularity table is loaded once and whole, also where its file changes before the load has ended. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { popularItems } from '../../../actors/model.js';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { systemClock } from '../../../runtime/contract/clock.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { frameIn } from '../../../runtime/frames/codec.js';
import { rowsOf } from '../../../runtime/frames/frame.js';
import { loadTable, openTable } from '../../../runtime/node/popularity-past.js';
import { FailingLog } from '../../support/failing-log.js';
import { MemoryKeyValue } from '../../support/memory-key-value.js';
import { MemoryLog } from '../../support/memory-log.js';
import { SILENT } from '../tuning.js';

const STREAM = 'RIVULET_POPULARITY';
const ROWS = 20_000;
const PARTITIONS = 2;

let directory: string;
let path: string;
let log: MemoryLog;
let records: MemoryKeyValue;
let onStored: () => void;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'popularity-past-'));
  path = join(directory, 'popularity.csv');
  onStored = () => undefined;
  log = new MemoryLog({ onStored: () => onStored() });
  records = new MemoryKeyValue();
  await log.ensureStream({
    name: STREAM,
    subjects: ['rivulet.popularity.>'],
    bytesMax: 1e9,
    dropsOldest: false,
    replicas: 1,
  });
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** Every item was bought so often. */
function write(purchases: number): void {
  const rows = Array.from({ length: ROWS }, (_, i) => `${i},${purchases},c,,`);
  writeFileSync(path, ['product_id,total_purchases,main_category_code,main_brand,avg_price', ...rows, ''].join('\n'));
}

async function start(through: Log = log, signal = new AbortController().signal): Promise<string[]> {
  const logged: string[] = [];
  const record = (_: object, message: string): void => void logged.push(message);
  const logger = { ...SILENT, info: record, warn: record };
  const topology = { count: () => PARTITIONS };
  const options = { log: through, records, topology, clock: systemClock, logger, signal };
  await loadTable(await openTable(path, await records.entries()), options);
  return logged;
}

/** How often each item was bought by its latest row in the mailbox of popularity; and of how many partitions the last message is the end. */
function loaded(): { readonly items: number; readonly purchases: readonly number[]; readonly ended: number } {
  const items = new Map<string, number>();
  const ended = new Set<string>();
  for (const { subject, data } of log.messages(STREAM)) {
    const { body, endsInput } = fromBinary(EnvelopeSchema, data);
    const frame = frameIn(body, popularItems);
    for (const { item, purchases } of frame === undefined ? [] : rowsOf(frame)) items.set(item!, purchases!);
    if (endsInput) ended.add(subject);
    else ended.delete(subject);
  }
  return { items: items.size, purchases: [...new Set(items.values())], ended: ended.size };
}

/** A start that ends after its second message. */
async function startBroken(): Promise<void> {
  const through = new FailingLog(log);
  const ending = new AbortController();
  const before = log.messages(STREAM).length;
  const stored = new Promise<void>((resolve) => {
    onStored = () => {
      if (log.messages(STREAM).length === before + 2) resolve(through.cut());
    };
  });
  void start(through, ending.signal);
  await stored;
  onStored = () => undefined;
}

describe('a table', () => {
  it('is loaded once; another one is not', async () => {
    write(1);
    expect(await start()).toEqual(['the popularity table is loaded']);
    expect(loaded()).toEqual({ items: ROWS, purchases: [1], ended: PARTITIONS });
    const { length } = log.messages(STREAM);
    expect(await start()).toEqual(['the popularity table was loaded before']);
    write(2);
    expect(await start()).toEqual([expect.stringMatching(/^another popularity table was loaded before/)]);
    expect(log.messages(STREAM)).toHaveLength(length);
  });

  it('whose load was broken off is finished by the same file, or replaced by another one', async () => {
    write(1);
    await startBroken();
    expect(loaded().ended).toBe(0);
    write(2);
    await startBroken();
    write(3);
    expect(await start()).toEqual(['the popularity table is loaded']);
    expect(loaded()).toEqual({ items: ROWS, purchases: [3], ended: PARTITIONS });
    write(4);
    expect(await start()).toEqual([expect.stringMatching(/^another popularity table was loaded before/)]);
  });

  it('whose file is replaced while it is loaded is loaded as it is then', async () => {
    write(1);
    onStored = () => {
      if (log.messages(STREAM).length === 2) write(2);
    };
    expect(await start()).toEqual(['the popularity table is loaded']);
    expect(loaded()).toEqual({ items: ROWS, purchases: [2], ended: PARTITIONS });
  });

  it('of two nodes with different files one is loaded, and whole', async () => {
    write(1);
    const first = start();
    await new Promise<void>((resolve) => (onStored = resolve));
    write(2);
    onStored = () => undefined;
    await Promise.all([first, start()]);
    expect(loaded()).toMatchObject({ items: ROWS, ended: PARTITIONS });
    expect(loaded().purchases).toHaveLength(1);
  });
});
