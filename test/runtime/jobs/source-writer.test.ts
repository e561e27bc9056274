/** Bounded inputs into mailboxes, and the clock as a writer: each subject says each thing once, whatever happens to its writer. */
import { fromBinary } from '@bufbuild/protobuf';
import { beforeEach, describe, expect, it } from 'vitest';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fnv1a, textOf, utf8 } from '../../../runtime/frames/bytes.js';
import { frameOf, rowsOf } from '../../../runtime/frames/frame.js';
import { decodeFrame } from '../../../runtime/frames/codec.js';
import type { ChunkSource, SourceChunk, SourcePosition, StoredChunks } from '../../../runtime/contract/ports.js';
import { isTableWritten, writeChunks, writeTable } from '../../../runtime/jobs/source-writer.js';
import { type ActorStatus, newStatus } from '../../../runtime/telemetry/status.js';
import { ensureStreams, streamsOf } from '../../../runtime/contract/streams.js';
import { Ticker } from '../../../runtime/shards/ticker.js';
import { drawn, FailingLog, scripted, SecondWriter } from '../../support/failing-log.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { MemoryLog } from '../../support/memory-log.js';
import { SILENT } from '../tuning.js';
import { boundedToys, liveToys, weights } from '../toy-stages.js';
import { settled, until, VirtualClock } from '../virtual-clock.js';

let log: MemoryLog;
let clock: VirtualClock;

beforeEach(async () => {
  clock = new VirtualClock();
  log = new MemoryLog({ nowMs: () => clock.nowMs() });
  await ensureStreams(log, boundedToys(), { bytesMax: 1e9, replicas: 1 });
});

const CHUNKS: readonly SourceChunk[] = Array.from({ length: 9 }, (_, i) => ({
  ...{ format: 'csv' as const, file: `f${i % 3}`, line: i + 1, header: utf8('h'), data: utf8(`chunk ${i}`) },
  ...{ nextOffset: (i + 1) * 10, nextLine: i + 2, endsEpoch: i % 3 === 2, endsInput: i === 8 },
}));

/** Notes from where it was asked to go on. */
class Chunks implements ChunkSource {
  readonly asked: (SourcePosition | undefined)[] = [];

  async *chunks(stored: StoredChunks): AsyncGenerator<SourceChunk> {
    const after = await stored.last();
    this.asked.push(after);
    yield* CHUNKS.slice(after === undefined ? 0 : after.nextOffset / 10);
  }
}

const written = (): string[] =>
  log.messages('RIVULET_SPLIT').map(({ data }) => {
    const { body } = fromBinary(EnvelopeSchema, data);
    return body.case === 'chunk' ? textOf(body.value.data) : '?';
  });
const all = CHUNKS.map(({ data }) => textOf(data));
const target = { to: 'split', from: 'folder' };
const options = (through: FailingLog | MemoryLog = log) => ({
  ...{ log: through, clock, logger: SILENT, signal: new AbortController().signal },
});

describe('chunks', () => {
  it('are written in order, each with where to go on after it', async () => {
    const handed: string[] = [];
    await writeChunks(options(), new Chunks(), target, ({ data }) => handed.push(textOf(data)));
    expect([written(), handed]).toEqual([all, all]);
    const last = fromBinary(EnvelopeSchema, log.messages('RIVULET_SPLIT').at(-1)!.data);
    expect(last).toMatchObject({ first: 9, sequence: 9, endsEpoch: true, endsInput: true });
    expect(last.body.value).toMatchObject({ file: 'f2', nextOffset: 90, nextLine: 10 });
  });

  it('of a finished input are not read again', async () => {
    await writeChunks(options(), new Chunks(), target, () => undefined);
    const again = new Chunks();
    await writeChunks(options(), again, target, () => undefined);
    expect([again.asked, written()]).toEqual([[expect.objectContaining({ endsInput: true, number: 9 })], all]);
  });

  it('go on behind the last one that was stored', async () => {
    const fate = scripted([['publish', 'rivulet.split.0.folder.0', 4, 'ack-lost']]);
    const through = new FailingLog(log, {
      fate,
      turn: async ({ kind }) => {
        // Cut off while it asks what became of the fourth.
        if (kind === 'last' && log.messages('RIVULET_SPLIT').length === 4) through.cut();
      },
    });
    void writeChunks(options(through), new Chunks(), target, () => undefined);
    await until(clock, () => written().length === 4);
    const source = new Chunks();
    await writeChunks(options(), source, target, () => undefined);
    const where = { file: 'f0', nextOffset: 40, nextLine: 5, endsEpoch: false, endsInput: false, number: 4 };
    expect(source.asked).toEqual([where]);
    expect(written()).toEqual(all);
  });

  it('come once, though two writers believe to be the one, and acks get lost', async () => {
    for (let seed = 1; seed <= 30; seed++) {
      log = new MemoryLog();
      await ensureStreams(log, boundedToys(), { bytesMax: 1e9, replicas: 1 });
      const random = seededRandom(seed);
      const fate = drawn(random, { 'ack-lost': 0.1, 'request-lost': 0.1, away: 0.05 });
      const turn = async (): Promise<void> => {
        while (random() < 0.5) await settled();
      };
      let finished = 0;
      const write = async (): Promise<void> => {
        for (;;) {
          try {
            await writeChunks(options(new FailingLog(log, { fate, turn })), new Chunks(), target, () => undefined);
            finished++;
            return;
          } catch {
            // FENCED, or away: it looks again.
          }
        }
      };
      void write();
      void write();
      await until(clock, () => finished === 2);
      expect(written(), `seed ${seed}`).toEqual(all);
    }
  });
});

describe('a table', () => {
  const rows = Array.from({ length: 20 }, (_, i) => ({ item: `i${i}`, weight: i }));
  const frames = async function* () {
    for (let at = 0; at < rows.length; at += 6) yield frameOf(weights, rows.slice(at, at + 6));
  };
  const tableTarget = { to: 'weigh', from: 'table', by: 'item', partitions: 2 };
  const partition = (q: number): { rows: unknown[]; ends: boolean[] } => {
    const own = log
      .messages('RIVULET_WEIGH')
      .filter(({ subject }) => subject === `rivulet.weigh.${q}.table.${q}`)
      .map(({ data }) => fromBinary(EnvelopeSchema, data));
    return {
      rows: own.flatMap(({ body }) => (body.case === 'frame' ? rowsOf(decodeFrame(body.value, weights)) : [])),
      ends: own.map(({ endsInput }) => endsInput),
    };
  };
  const expectWhole = (): void => {
    for (const q of [0, 1]) {
      const { rows: own, ends } = partition(q);
      expect(own).toEqual(rows.filter(({ item }) => fnv1a(utf8(item)) % 2 === q));
      expect(ends).toEqual(ends.map((_, i) => i === ends.length - 1));
    }
  };

  it('goes to its partitions by hash, each with an end', async () => {
    await writeTable(options(), frames(), tableTarget);
    expectWhole();
    await writeTable(options(), frames(), tableTarget);
    expectWhole();
  });

  it('goes to all, where it must be known everywhere', async () => {
    await writeTable(options(), frames(), { ...tableTarget, by: 'all' });
    for (const q of [0, 1]) expect(partition(q).rows).toEqual(rows);
  });

  it('is written when all partitions have its end', async () => {
    expect(await isTableWritten(log, tableTarget)).toBe(false);
    await writeTable(options(), frames(), tableTarget);
    expect(await isTableWritten(log, tableTarget)).toBe(true);
  });

  it('that broke off anywhere is written to its end by the next, nothing twice', async () => {
    for (let cut = 0; cut < 12; cut++) {
      log = new MemoryLog();
      await ensureStreams(log, boundedToys(), { bytesMax: 1e9, replicas: 1 });
      let turns = 0;
      const through = new FailingLog(log, {
        turn: async ({ kind }) => {
          if (kind === 'publish' && turns++ === cut) through.cut();
        },
      });
      void writeTable(options(through), frames(), tableTarget);
      for (let i = 0; i < 20; i++) await settled();
      await writeTable(options(), frames(), tableTarget);
      expectWhole();
    }
  });
});

describe('the ticker', () => {
  const ticks = (): (number | undefined)[] =>
    log.messages('RIVULET_READ').map(({ data }) => fromBinary(EnvelopeSchema, data).tickMs);
  let status: ActorStatus;
  let emitted = 0;
  beforeEach(() => (status = newStatus('read', 0)));
  const start = async (through: FailingLog | MemoryLog): Promise<Ticker> => {
    const own = { stage: 'read', partition: 0, everyMs: 1_000, status, emitted: () => emitted };
    const ticker = new Ticker({ ...options(through), ...own });
    void ticker.run();
    return ticker;
  };
  beforeEach(() => ensureStreams(log, liveToys(), { bytesMax: 1e9, replicas: 1 }));

  it('writes the time into a mailbox, at its interval, until it is stopped', async () => {
    const from = clock.nowMs();
    const ticker = await start(log);
    await until(clock, () => ticks().length === 3);
    ticker.stop();
    await settled();
    expect(clock.sleeping).toBe(0);
    expect(ticks()).toEqual([from, from + 1_000, from + 2_000]);
    expect(log.messages('RIVULET_READ').map(({ subject }) => subject)).toContain('rivulet.read.0.clock.0');
  });

  it('ticks less often once its stage has emitted nothing for two minutes, until it does again', async () => {
    const from = clock.nowMs();
    const ticker = await start(log);
    const secondsAt = (count: number): number[] =>
      ticks()
        .slice(-count)
        .map((at) => (at! - from) / 1_000);
    await until(clock, () => ticks().length === 123);
    expect(secondsAt(4)).toEqual([119, 124, 129, 134]);
    emitted++;
    await until(clock, () => ticks().length === 126);
    ticker.stop();
    expect(secondsAt(4)).toEqual([134, 135, 136, 137]);
  });

  it('leaves out what cannot be written, and goes on', async () => {
    const subject = 'rivulet.read.0.clock.0';
    const fate = scripted([
      ['publish', subject, 2, 'request-lost'],
      ['publish', subject, 3, 'ack-lost'],
    ]);
    const from = clock.nowMs();
    const ticker = await start(new FailingLog(log, { fate }));
    await until(clock, () => ticks().length === 2);
    await (await SecondWriter.open(log, 'RIVULET_READ', subject)).say(log.messages('RIVULET_READ')[0]!.data);
    await until(clock, () => ticks().length === 5);
    ticker.stop();
    expect(ticks().map((at) => (at! - from) / 1_000)).toEqual([0, 2, 0, 3, 4]);
  });

  it('says since when nothing can be stored, and why, until something is; that another was faster is no reason', async () => {
    const subject = 'rivulet.read.0.clock.0';
    const spec = streamsOf(liveToys(), { bytesMax: 1e9, replicas: 1 }).find(({ name }) => name === 'RIVULET_READ')!;
    const ticker = await start(log);
    await until(clock, () => ticks().length === 2);
    await (await SecondWriter.open(log, spec.name, subject)).say(log.messages(spec.name)[0]!.data);
    const fencedMs = clock.nowMs();
    await until(clock, () => clock.nowMs() === fencedMs + 1_000);
    await settled();
    expect(status.refusal).toBeUndefined();
    await log.ensureStream({ ...spec, bytesMax: 1 });
    const fullMs = clock.nowMs() + 1_000;
    await until(clock, () => clock.nowMs() >= fullMs + 3_000);
    expect(status.refusal).toEqual({ sinceMs: fullMs, reason: expect.stringMatching(/^LOG_FULL: /) });
    await log.ensureStream(spec);
    await until(clock, () => status.refusal === undefined);
    await log.ensureStream({ ...spec, bytesMax: 1 });
    await until(clock, () => status.refusal !== undefined);
    // Nobody tries any more.
    ticker.stop();
    await settled();
    expect(status.refusal).toBeUndefined();
  });
});
