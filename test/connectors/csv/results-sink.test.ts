import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { events, interactions, ranked } from '../../../actors/model.js';
import { fieldsOf } from '../../../connectors/csv/csv-rows.js';
import { readRecords } from '../../../connectors/csv/read-records.js';
import { resultsSink } from '../../../connectors/csv/results-sink.js';
import type { Sink } from '../../../runtime/contract/ports.js';
import { deadLetters, type Frame, frameOf, frameType } from '../../../runtime/contract/stage.js';

let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'results-sink-'));
  directory = join(root, 'out');
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const FILES = ['recommendations.csv', 'user_interactions.csv', 'late.csv', 'dead-letter.jsonl'] as const;
const content = (file: (typeof FILES)[number]): string => readFileSync(join(directory, file), 'utf8');
const rows = (file: (typeof FILES)[number]): string[] => content(file).split('\n').slice(1, -1);

async function opened(position?: string): Promise<Sink> {
  const sink = resultsSink({ directory });
  await sink.open(position);
  return sink;
}

async function write(
  ...writes: readonly (readonly [topic: string, epoch: number, frame: Frame<never>])[]
): Promise<void> {
  const sink = await opened();
  for (const [topic, epoch, frame] of writes) await sink.write(topic, epoch, frame as unknown as Frame);
  await sink.sync();
  await sink.close();
}

const as = (frame: unknown): Frame<never> => frame as Frame<never>;

describe('files', () => {
  it('begin with their headers', async () => {
    await write();
    expect(FILES.map(content)).toEqual([
      'epoch,user_id,product_id,rec_score,main_category,rank,recommendation_type\n',
      'epoch,user_id,product_id,interaction_count,views,carts,purchases\n',
      'epoch,event_time,event_type,product_id,category_code,brand,price,user_id\n',
      '',
    ]);
  });

  it('hold recommendations, but no empty lists', async () => {
    const frame = frameOf(ranked, [
      { user: 'u1', item: '10', category: 'electronics', score: 0.21, interest: 3, rank: 1, kind: 0 },
      { user: 'u2', rank: 0 },
      { user: 'a "b",c', item: 'x\ny', score: 1, rank: 100, kind: 1 },
      { user: '日本', item: '12', category: 'ärzte', score: 2 ** -20 / 3, rank: 10, kind: 1 },
    ]);
    await write(['recommendations', 12, as(frame)]);
    expect(content('recommendations.csv').split('\n').slice(1).join('\n')).toBe(
      '12,u1,10,0.21,electronics,1,streaming_category_popularity\n' +
        '12,"a ""b"",c","x\ny",1.0,,100,streaming_popular_fallback\n' +
        '12,日本,12,3.178914388020833e-7,ärzte,10,streaming_popular_fallback\n',
    );
  });

  it('hold interactions, from whichever topic', async () => {
    const frame = frameOf(interactions, [
      { user: 'u1', item: '10', count: 4294967295, views: 10, carts: 9, purchases: 0 },
    ]);
    await write(['recommendations', 0, as(frame)], ['interactions', 1, as(frame)]);
    expect(rows('user_interactions.csv')).toEqual(['0,u1,10,4294967295,10,9,0', '1,u1,10,4294967295,10,9,0']);
  });

  it('have a last column as_of where it is asked for, and a row that has none is refused', async () => {
    const sink = resultsSink({ directory, timestamps: true });
    await sink.open(undefined);
    const asOfMs = Date.UTC(2024, 1, 3, 4, 5, 6, 7);
    const list = frameOf(ranked, [{ user: 'u', item: 'i', score: 1, rank: 1, kind: 0 }]);
    const counts = frameOf(interactions, [{ user: 'u', item: 'i', count: 1, views: 1, carts: 0, purchases: 0 }]);
    await sink.write('recommendations', 3, as(list) as unknown as Frame, asOfMs);
    await sink.write('interactions', 3, as(counts) as unknown as Frame, asOfMs + 1);
    expect(() => sink.write('interactions', 4, as(counts) as unknown as Frame)).toThrow(/epoch 4 have no time/);
    await sink.sync();
    await sink.close();
    expect(content('recommendations.csv')).toBe(
      'epoch,user_id,product_id,rec_score,main_category,rank,recommendation_type,as_of\n' +
        '3,u,i,1.0,,1,streaming_category_popularity,2024-02-03T04:05:06.007Z\n',
    );
    expect(content('user_interactions.csv')).toBe(
      'epoch,user_id,product_id,interaction_count,views,carts,purchases,as_of\n3,u,i,1,1,0,0,2024-02-03T04:05:06.008Z\n',
    );
    expect(content('late.csv')).toMatch(/user_id\n$/);
  });

  it('hold late events, absent as empty', async () => {
    const frame = frameOf(events, [
      {
        time: Date.UTC(2019, 9, 1, 2, 19, 42),
        type: 0,
        user: '553985695',
        item: '1004249',
        category: 'electronics.smartphone',
        brand: 'apple',
        price: 739.81,
      },
      { time: Date.UTC(2019, 9, 1, 2, 19, 42, 5), type: 3, user: 'u', item: 'i' },
    ]);
    await write(['late', 3, as(frame)]);
    expect(rows('late.csv')).toEqual([
      '3,2019-10-01 02:19:42 UTC,view,1004249,electronics.smartphone,apple,739.81,553985695',
      '3,2019-10-01 02:19:42.005 UTC,remove_from_cart,i,,,,u',
    ]);
  });

  it('hold dead letters with their bytes, as text or in base64', async () => {
    const frame = frameOf(deadLetters, [
      {
        original: '\ufeff{"a":\n',
        file: 'f.csv',
        line: 7,
        index: 2,
        stage: 'parse',
        rule: 'csv_broken_quote',
        reason: 'a "quote"',
        storedAt: 0,
      },
      { original: 'x', subject: 's', sequence: 9, stage: 'parse', rule: 'r', field: 'price', reason: 'no' },
      { stage: 'parse', rule: 'r', reason: 'no' },
    ]);
    const { codes, dictionary } = frame.columns.original;
    dictionary.bytes[dictionary.ends[codes[1]! - 1]!] = 0xff;
    await write(['dead-letter', 0, as(frame)]);
    const records = content('dead-letter.jsonl')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records).toEqual([
      {
        ...{ file: 'f.csv', line: 7, index: 2, stage: 'parse', rule: 'csv_broken_quote', reason: 'a "quote"' },
        ...{ original: '\ufeff{"a":\n', stored_at: '1970-01-01T00:00:00.000Z' },
      },
      {
        subject: 's',
        sequence: 9,
        index: 0,
        stage: 'parse',
        rule: 'r',
        field: 'price',
        reason: 'no',
        original_base64: '/w==',
      },
      { index: 0, stage: 'parse', rule: 'r', reason: 'no', original: '' },
    ]);
  });

  it('give back every id and number that went in', async () => {
    const texts = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
    const scores = fc.oneof(
      fc.double({ noNaN: true }),
      fc.integer({ max: 10 ** 9 }).map((n) => n / 100),
      fc.constantFrom(1e21, 2 ** 53, 0.1 + 0.2, -0.5),
    );
    const row = fc.record({
      user: texts,
      item: texts,
      category: texts,
      score: scores,
      rank: fc.integer({ min: 1, max: 100 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { maxLength: 20 }), async (given) => {
        await write(['recommendations', 5, as(frameOf(ranked, given))]);
        const found: object[] = [];
        for await (const { record } of readRecords(join(directory, 'recommendations.csv'))) {
          const {
            user_id: user,
            product_id: item,
            main_category: category,
            rec_score: score,
            rank,
          } = record as Record<string, string>;
          found.push({ user, item, category, score: Number(score) + 0, rank: Number(rank) });
        }
        expect(found).toEqual(given.map((one) => ({ ...one, score: one.score + 0 })));
      }),
      { numRuns: 40 },
    );
    expect(fieldsOf('"",a')).toEqual(['', 'a']);
  });

  it('take rows longer than a block, and more of them than may wait', async () => {
    const long = 'x'.repeat(300_000);
    const sink = await opened();
    let waits = 0;
    for (let epoch = 0; epoch < 40; epoch++) {
      const waiting = sink.write(
        'interactions',
        epoch,
        frameOf(interactions, [{ user: long, item: `${epoch}`, count: 1 }]),
      );
      if (waiting !== undefined) waits++;
      await waiting;
    }
    await sink.close();
    expect(rows('user_interactions.csv')).toEqual(
      Array.from({ length: 40 }, (_, epoch) => `${epoch},${long},${epoch},1,0,0,0`),
    );
    expect(waits).toBeGreaterThan(0);
  });

  it('have no place for other frames', async () => {
    const sink = await opened();
    const other = frameOf(frameType('other', { n: 'u8' }), [{ n: 1 }]);
    expect(() => sink.write('recommendations', 0, other)).toThrow(/frames of other from topic recommendations/);
    expect(() => sink.write('recommendations', 0, frameOf(events, []))).toThrow(/frames of event/);
    await sink.close();
  });
});
