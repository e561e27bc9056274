/** Batches of publishers' messages: any grouping gives the same rows; what was published is cut at the same places again. */
import fc from 'fast-check';
import { from, map, mergeMap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { defineTopology, edge, source, topic } from '../../../runtime/contract/graph.js';
import { frameOf, frameType, input, RAW, stage, textOf } from '../../../runtime/contract/stage.js';
import { FailingLog } from '../../support/failing-log.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { newStatus } from '../../../runtime/telemetry/status.js';
import { ActorBed, line, ONE } from './actor-bed.js';
import { liveToys } from '../toy-stages.js';

const texts = frameType('texts', { text: 'text' });

/** One frame for each message: an answer to n messages has n parts. */
const echo = stage({
  id: 'echo',
  key: 'source',
  version: 1,
  inputs: { events: input(RAW) },
  outputs: { rows: texts },
  state: {},
  pipeline: ({ inputs, out }) =>
    inputs.events.pipe(
      mergeMap(({ messages }) => from(messages)),
      map(({ data }) => out.rows(frameOf(texts, [{ text: textOf(data) }]))),
    ),
});

const out = topic('out', texts, 'source', { browsable: false });
const echoTopology = defineTopology({
  partitions: ONE,
  stages: [echo],
  topics: [out],
  edges: [edge(source('events'), echo.in.events, { by: 'source' }), edge(echo.out.rows, out.in.rows, { by: 'source' })],
  aligned: new Set(),
});

async function echoBed(count: number): Promise<ActorBed> {
  const bed = await ActorBed.make(echoTopology);
  for (let i = 1; i <= count; i++) await bed.log.publish('rivulet.events.view', utf8(String(i)));
  return bed;
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i + 1));

/** Lets so many publishes through and then cuts the process off. */
function cutAfter(bed: ActorBed, publishes: number, slice = (max: number): number => max): FailingLog {
  // Each has a turn before and one after.
  let left = publishes * 2;
  const log: FailingLog = new FailingLog(bed.log, {
    slice,
    turn: async ({ kind }) => {
      if (kind === 'publish' && left-- === 0) log.cut();
    },
  });
  return log;
}

describe('batches', () => {
  it('are what arrived, up to the bound; each is one message, tagged with all it covers', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    await bed.publish(...[1, 2, 3, 4, 5].map((id) => line(id)));
    bed.start('read', 0, { tuning: { frameMessages: 3 } });
    await bed.quiet();
    const tags = bed
      .messages('sum')
      .map(({ envelope }) => [envelope.first, envelope.sequence, envelope.part, envelope.lastPart]);
    expect(tags).toEqual([
      [1, 3, 0, true],
      [4, 5, 0, true],
    ]);
    expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2, 3, 4, 5]);
  });

  it('are bounded by bytes', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE }));
    await bed.publish(...[1, 2, 3, 4].map((id) => line(id)));
    bed.start('read', 0, { tuning: { frameMessages: 100, frameBytes: 2 * line(1).length } });
    await bed.quiet();
    expect(bed.messages('sum').map(({ envelope }) => envelope.sequence)).toEqual([2, 4]);
  });

  it('end at a tick, which goes on behind them', async () => {
    const driver = await ActorBed.make(liveToys({ partitions: ONE }));
    const { Ticker } = await import('../../../runtime/shards/ticker.js');
    const { SILENT } = await import('../tuning.js');
    await driver.publish(line(1), line(2));
    const ticker = new Ticker({
      ...{ log: driver.log, clock: driver.clock, logger: SILENT, status: newStatus('read', 0), emitted: () => 0 },
      stage: 'read',
      partition: 0,
      everyMs: 1e12,
    });
    const ticking = ticker.run();
    await driver.until(() => driver.log.messages('RIVULET_READ').length === 3);
    await driver.publish(line(3));
    driver.start('read', 0, { tuning: { frameMessages: 100 } });
    await driver.quiet();
    ticker.stop();
    await ticking;
    const said = driver
      .messages('sum')
      .map(({ envelope, rows }) => [envelope.sequence, envelope.tickMs !== undefined, rows.length]);
    expect(said).toEqual([
      [2, false, 2],
      [3, true, 0],
      [4, false, 1],
    ]);
  });

  it('differ without a difference: any bounds and arrivals give the same rows and counts', async () => {
    const lines = Array.from({ length: 24 }, (_, i) => line(i % 17, i % 5 === 4 ? 'x' : i));
    const run = async (seed: number): Promise<unknown> => {
      const random = seededRandom(seed);
      const bed = await ActorBed.make(liveToys({ partitions: ONE }));
      const draw = (max: number): number => 1 + Math.floor(random() * max);
      const log = new FailingLog(bed.log, { slice: draw });
      const reader = bed.start('read', 0, { log, tuning: { frameMessages: draw(8), frameBytes: draw(60) } });
      for (const one of lines) {
        await bed.publish(one);
        if (random() < 0.3) await bed.quiet();
      }
      await bed.quiet();
      return [bed.rows('sum'), bed.rows('dead-letter').map(({ original }) => original), reader.status.counters];
    };
    const expected = await run(0);
    for (let seed = 1; seed <= 30; seed++) expect(await run(seed), `seed ${seed}`).toEqual(expected);
  });
});

describe('after a crash', () => {
  it('a batch of which a part was said is cut at the same places', async () => {
    const bed = await echoBed(6);
    const first = bed.start('echo', 0, { log: cutAfter(bed, 3), tuning: { frameMessages: 6 } });
    await bed.until(() => bed.messages('out').length === 3);
    expect(bed.messages('out').at(-1)!.envelope).toMatchObject({ first: 1, sequence: 6, part: 2, lastPart: false });
    expect(first.ended()).toBe(false);
    // The next one gets the messages one at a time, and has a smaller bound.
    const log = new FailingLog(bed.log, { slice: () => 1 });
    const second = bed.start('echo', 0, { log, tuning: { frameMessages: 2, frameBytes: 1 } });
    await bed.until(() => second.status.sequence === 6 && second.status.unacknowledged === 0);
    expect(bed.rows('out').map(({ text }) => text)).toEqual(numbers(6));
  });

  it('at any publish, any number of times, under any bounds: each row comes once, in order', async () => {
    const life = fc.record({
      publishes: fc.nat(6),
      frameMessages: fc.integer({ min: 1, max: 8 }),
      frameBytes: fc.integer({ min: 1, max: 12 }),
      slice: fc.integer({ min: 1, max: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(life, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 14 }),
        async (lives, count) => {
          const bed = await echoBed(count);
          let store = new MemoryStore();
          for (const { publishes, slice, ...tuning } of lives) {
            const before = bed.messages('out').length;
            const log = cutAfter(bed, publishes, () => slice);
            const { status } = bed.start('echo', 0, { log, store, tuning });
            await bed.until(() => bed.messages('out').length === before + publishes || status.sequence === count);
            store = new MemoryStore(store.contents());
            log.cut();
          }
          const { status } = bed.start('echo', 0, { store });
          await bed.until(() => status.sequence === count && status.unacknowledged === 0);
          expect(bed.rows('out').map(({ text }) => text)).toEqual(numbers(count));
        },
      ),
      { numRuns: 100 },
    );
  });
});
