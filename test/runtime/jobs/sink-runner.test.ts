/** Sinks from topics, exactly once: at any crash, what the sink holds in the end is what a run without one gives. */
import { beforeAll, describe, expect, it } from 'vitest';
import { streamOf } from '../../../runtime/contract/graph.js';
import type { Log, Sink, Store } from '../../../runtime/contract/ports.js';
import { SinkRunner } from '../../../runtime/jobs/sink-runner.js';
import { ensureStreams } from '../../../runtime/contract/streams.js';
import { FailingStore } from '../../../state/failing-store.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { FailingLog } from '../../support/failing-log.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { MemoryLog } from '../../support/memory-log.js';
import { MemorySink } from '../../support/memory-sink.js';
import { toyBounded } from '../../simulation/toy-jobs.js';
import { World } from '../../simulation/world.js';
import { SILENT } from '../tuning.js';
import { boundedToys } from '../toy-stages.js';
import { settled, until, VirtualClock } from '../virtual-clock.js';

const topology = boundedToys();
let said: { readonly subject: string; readonly data: Uint8Array }[];
let expected: string[];

/** As a writer does, which says what came before. */
async function write(log: MemoryLog, { subject, data }: (typeof said)[number]): Promise<void> {
  const last = await log.last(streamOf('results'), subject);
  await log.publish(subject, data, { expected: last?.sequence ?? 0 });
}

async function newLog(count = said.length): Promise<MemoryLog> {
  const log = new MemoryLog();
  await ensureStreams(log, topology, { bytesMax: 1e9, replicas: 1 });
  for (const one of said.slice(0, count)) await write(log, one);
  return log;
}

interface Bed {
  readonly log: Log;
  readonly store: Store;
  readonly sink: Sink;
  readonly clock: VirtualClock;
}

const open = ({ log, store, sink, clock }: Bed): Promise<SinkRunner> =>
  SinkRunner.open({ ...{ topology, topics: ['results'], log, store, sink, clock, logger: SILENT }, syncEveryMs: 50 });

/** Runs to the end, or for so many steps, then cuts everything off. */
async function run(bed: Bed, steps = 5_000): Promise<'ended' | 'cut'> {
  const abort = new AbortController();
  let ended = false;
  const running = open(bed).then((runner) => runner.run(abort.signal));
  let failure: unknown;
  running.then(
    () => (ended = true),
    (error: unknown) => (failure = error),
  );
  for (let step = 0; step < steps; step++) {
    await settled();
    if (failure !== undefined) throw failure as Error;
    if (ended) return 'ended';
    bed.clock.wakeNext();
  }
  return 'cut';
}

beforeAll(async () => {
  const { server } = await World.faultless(toyBounded);
  said = server.history(streamOf('results')).map(({ message: { subject, data } }) => ({ subject, data }));
  const sink = new MemorySink([]);
  expect(await run({ log: await newLog(), store: new MemoryStore(), sink, clock: new VirtualClock() })).toBe('ended');
  expected = sink.lines;
  expect(expected.length).toBeGreaterThan(10);
  expect(sink.closed).toBe(true);
});

describe('a sink', () => {
  it('ends when every writer has ended its input, all of it durable, and not before', async () => {
    const log = await newLog(said.length - 1);
    const [sink, clock] = [new MemorySink([]), new VirtualClock()];
    let ended = false;
    const runner = await open({ log, store: new MemoryStore(), sink, clock });
    const running = runner.run(new AbortController().signal).then(() => (ended = true));
    await until(clock, () => sink.lines.length === expected.length);
    for (let i = 0; i < 20; i++) {
      clock.wakeNext();
      await settled();
    }
    expect([ended, runner.finished]).toEqual([false, false]);
    await write(log, said.at(-1)!);
    await running;
    expect([runner.finished, sink.lines]).toEqual([true, expected]);
  });

  it('holds each row once and in order, wherever it crashes', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seededRandom(seed);
      const log = await newLog();
      const lines: string[] = [];
      let disk = new MemoryStore();
      for (let life = 0; ; life++) {
        const clock = new VirtualClock();
        const failing = new FailingLog(log, { slice: () => 1 + Math.floor(random() * 3) });
        const store = new FailingStore(disk, { turn: settled });
        // A dead process writes no more: each life has a file of its own, copied.
        const sink = new MemorySink([...lines], settled);
        const outcome = await run({ log: failing, store, sink, clock }, life < 5 ? Math.floor(random() * 60) : 5_000);
        failing.cut();
        store.cut();
        disk = new MemoryStore(disk.contents());
        lines.splice(0, Infinity, ...sink.lines);
        if (outcome === 'ended') break;
      }
      expect(lines, `seed ${seed}`).toEqual(expected);
    }
  });

  it('trims its topics behind what is durable; each writer’s last message stays', async () => {
    const log = await newLog();
    await run({ log, store: new MemoryStore(), sink: new MemorySink([]), clock: new VirtualClock() });
    expect(log.messages(streamOf('results'))).toHaveLength(2);
  });

  it('of a finished job ends at once and adds nothing', async () => {
    const log = await newLog();
    const [store, lines] = [new MemoryStore(), [] as string[]];
    const bed = { log, store, sink: new MemorySink(lines), clock: new VirtualClock() };
    expect(await run(bed)).toBe('ended');
    expect(await run({ ...bed, sink: new MemorySink(lines) })).toBe('ended');
    expect(lines).toEqual(expected);
  });

  it('that fails ends the run with its error, closed', async () => {
    const sink = Object.assign(new MemorySink([]), { sync: () => Promise.reject(new Error('disk full')) });
    const clock = new VirtualClock();
    const runner = await open({ log: await newLog(), store: new MemoryStore(), sink, clock });
    const running = expect(runner.run(new AbortController().signal)).rejects.toThrow('disk full');
    for (let i = 0; i < 20; i++) {
      clock.wakeNext();
      await settled();
    }
    await running;
    expect(sink.closed).toBe(true);
  });
});

describe('stopping', () => {
  it.each([0, 1, 2, 3, 5, 8])('after %i turns makes durable what it has, and ends', async (turns) => {
    const log = await newLog(said.length - 1);
    const [store, sink, clock, abort] = [
      new MemoryStore(),
      new MemorySink([]),
      new VirtualClock(),
      new AbortController(),
    ];
    let go: (() => void)[] = [];
    const slow = new FailingLog(log, { turn: () => new Promise((resolve) => go.push(resolve)) });
    const runner = await open({ log: slow, store, sink, clock });
    let ended = false;
    if (turns === 0) abort.abort();
    void runner.run(abort.signal).then(() => (ended = true));
    for (let step = 1; step < 200 && !ended; step++) {
      await settled();
      for (const one of go.splice(0)) one();
      go = [];
      if (step === turns) abort.abort();
    }
    expect([ended, sink.closed]).toEqual([true, true]);
  });
});

describe('a topic that does not fit what the sink has', () => {
  async function half(): Promise<{ log: MemoryLog; store: MemoryStore; lines: string[] }> {
    const log = await newLog(said.length - 1);
    const [store, lines] = [new MemoryStore(), [] as string[]];
    expect(await run({ log, store, sink: new MemorySink(lines), clock: new VirtualClock() }, 40)).toBe('cut');
    return { log, store: new MemoryStore(store.contents()), lines };
  }

  it('because it was rolled back is Fatal: rows would be missing', async () => {
    const { log, store, lines } = await half();
    log.rollBack(streamOf('results'), 3);
    const runner = await open({ log, store, sink: new MemorySink(lines), clock: new VirtualClock() });
    await expect(runner.run(new AbortController().signal)).rejects.toMatchObject({
      reaction: 'fatal',
      code: 'LOG_BEHIND',
    });
  });

  it('because it was made anew is Fatal', async () => {
    const { store, lines } = await half();
    const log = await newLog();
    log.deleteStream(streamOf('results'));
    await ensureStreams(log, topology, { bytesMax: 1e9, replicas: 1 });
    for (const one of said) await write(log, one);
    const runner = await open({ log, store, sink: new MemorySink(lines), clock: new VirtualClock() });
    await expect(runner.run(new AbortController().signal)).rejects.toMatchObject({
      reaction: 'fatal',
      code: 'LOG_BEHIND',
    });
  });
});
