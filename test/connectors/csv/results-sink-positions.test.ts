/** What a results sink goes on from, and what stops it. What it writes is in results-sink.test.ts. */
import {
  appendFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { interactions, ranked } from '../../../actors/model.js';
import { resultsSink } from '../../../connectors/csv/results-sink.js';
import type { Sink } from '../../../runtime/contract/ports.js';
import { frameOf } from '../../../runtime/contract/stage.js';
import { noLinux, skipped } from '../../support/requirements.js';

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

async function opened(position?: string): Promise<Sink> {
  const sink = resultsSink({ directory });
  await sink.open(position);
  return sink;
}

describe('positions', () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constantFrom('ranked' as const, 'interaction' as const),
        rows: fc.integer({ min: 0, max: 3_000 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant('sync' as const) },
  );

  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  /** Takes steps [from, to); gives what the last sync among them returned, and the step after it. */
  async function play(
    sink: Sink,
    steps: readonly Step[],
    from: number,
    to: number,
  ): Promise<[position: string, next: number] | undefined> {
    let synced: [string, number] | undefined;
    for (let i = from; i < to; i++) {
      const one = steps[i]!;
      if (one === 'sync') synced = [await sink.sync(), i + 1];
      else {
        const rows = Array.from({ length: one.rows }, (_, r) => ({
          user: `u${r}`,
          item: `${i}`,
          score: r / 7,
          rank: 1,
          count: r,
        }));
        const frame = one.kind === 'ranked' ? frameOf(ranked, rows) : frameOf(interactions, rows);
        await sink.write('recommendations', i, frame);
      }
    }
    return synced;
  }

  it('are gone on from exactly, wherever a crash came', async () => {
    const crashed = join(root, 'crashed');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), fc.nat(20), async (steps, crash) => {
        const whole = await opened();
        await play(whole, steps, 0, steps.length);
        await whole.close();
        const expected = FILES.map(content);

        const first = await opened();
        const synced = await play(first, steps, 0, Math.min(crash, steps.length));
        // What a crash leaves: the files as they are, whatever of them is still in memory.
        cpSync(directory, crashed, { recursive: true });
        await first.close();

        rmSync(directory, { recursive: true });
        cpSync(crashed, directory, { recursive: true });
        const second = await opened(synced?.[0]);
        await play(second, steps, synced?.[1] ?? 0, steps.length);
        await second.sync();
        await second.close();
        expect(FILES.map(content)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  it('cut off what was written later, by whomever', async () => {
    const sink = await opened();
    const position = await sink.sync();
    await sink.close();
    const before = FILES.map(content);
    for (const file of FILES) appendFileSync(join(directory, file), 'more');
    await (await opened(position)).close();
    expect(FILES.map(content)).toEqual(before);
  });

  it('start anew without one: these files are emptied, others stay', async () => {
    mkdirSync(directory);
    writeFileSync(join(directory, 'recommendations.csv'), 'old');
    writeFileSync(join(directory, 'mine.csv'), 'mine');
    await (await opened()).close();
    expect(content('recommendations.csv')).toMatch(/^epoch,/);
    expect(readFileSync(join(directory, 'mine.csv'), 'utf8')).toBe('mine');
  });

  it('are refused when a file has become shorter or is gone', async () => {
    const sink = await opened();
    const position = await sink.sync();
    await sink.close();
    truncateSync(join(directory, 'late.csv'), 10);
    await expect(opened(position)).rejects.toMatchObject({
      code: 'SINK_FILE_SHORT',
      message: /late\.csv is 10 bytes long, and 73 bytes/,
    });
    unlinkSync(join(directory, 'late.csv'));
    await expect(opened(position)).rejects.toMatchObject({
      reaction: 'fatal',
      code: 'SINK_FILE_SHORT',
      message: /late\.csv is gone/,
    });
    await expect(opened('what?')).rejects.toMatchObject({ code: 'SINK_POSITION' });
  });

  it.skipIf(noLinux)(`that are refused leave no file open${skipped(noLinux)}`, async () => {
    const sink = await opened();
    const position = await sink.sync();
    await sink.close();
    unlinkSync(join(directory, 'late.csv'));
    await expect(opened(position)).rejects.toMatchObject({ code: 'SINK_FILE_SHORT' });
    const open = readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        // That of the listing itself.
        return [];
      }
    });
    expect(open.filter((path) => path.startsWith(directory))).toEqual([]);
  });
});

describe('a disk', () => {
  it.skipIf(noLinux)(`that is full is fatal, names the file, and stays so${skipped(noLinux)}`, async () => {
    mkdirSync(directory);
    symlinkSync('/dev/full', join(directory, 'user_interactions.csv'));
    const sink = await opened();
    const full = {
      reaction: 'fatal',
      code: 'SINK_DISK_FULL',
      message: expect.stringContaining('user_interactions.csv'),
    };
    await expect(sink.sync()).rejects.toMatchObject(full);
    expect(() => sink.write('interactions', 0, frameOf(interactions, []))).toThrow(expect.objectContaining(full));
    await expect(sink.sync()).rejects.toMatchObject(full);
    await sink.close();
  });

  it('that cannot be written to is fatal', async () => {
    mkdirSync(join(directory, 'late.csv'), { recursive: true });
    await expect(opened()).rejects.toMatchObject({ reaction: 'fatal', code: 'SINK_UNWRITABLE', message: /late\.csv/ });
    writeFileSync(join(root, 'file'), '');
    await expect(resultsSink({ directory: join(root, 'file') }).open(undefined)).rejects.toMatchObject({
      code: 'SINK_UNWRITABLE',
    });
  });
});
