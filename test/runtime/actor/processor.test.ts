/** The fold of a mailbox: who hears of ticks, ends of epochs and ends of input; what is held and let go (ALIGNMENT-2, ALIGNMENT-3), also through a snapshot. */
import fc from 'fast-check';
import { map, merge } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { defineTopology, edge, source, topic, type Topology } from '../../../runtime/contract/graph.js';
import { deadLetters, frameOf, input, RAW, stage, textOf } from '../../../runtime/contract/stage.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { TopologyDriver } from '../../support/topology-driver.js';
import { boundedToys, liveToys, weights, words } from '../toy-stages.js';

describe('a tick', () => {
  /** `entry` translates; `timer` says what time it hears of. */
  function clockToys(): Topology {
    const entry = stage({
      id: 'entry',
      key: 'source',
      version: 1,
      inputs: { events: input(RAW) },
      outputs: { rows: words, deadLetters },
      state: {},
      pipeline: ({ inputs, out }) =>
        inputs.events.pipe(map(({ messages }) => out.rows(frameOf(words, [{ item: textOf(messages[0]!.data) }])))),
    });
    const timer = stage({
      id: 'timer',
      key: 'source',
      version: 1,
      inputs: { rows: input(words) },
      outputs: { rows: words },
      state: {},
      pipeline: ({ inputs, out, ticks }) =>
        merge(
          inputs.rows.pipe(map((frame) => out.rows(frame))),
          ticks.pipe(map(({ timeMs }) => out.rows(frameOf(words, [{ item: `at ${timeMs}` }])))),
        ),
    });
    const heard = topic('heard', words, 'source', { browsable: false });
    const bad = topic('dead-letter', deadLetters, 'source', { browsable: true });
    return defineTopology({
      partitions: { source: 2, user: 1, item: 1 },
      stages: [entry, timer],
      topics: [heard, bad],
      edges: [
        edge(source('events'), entry.in.events, { by: 'source' }),
        edge(entry.out.rows, timer.in.rows, { by: 'source' }),
        edge(entry.out.deadLetters, bad.in.rows, { by: 'source' }),
        edge(timer.out.rows, heard.in.rows, { by: 'source' }),
      ],
      aligned: new Set(),
    });
  }

  it('goes from the stage of the publishers to the next, behind the events before it', () => {
    const driver = new TopologyDriver(clockToys());
    driver.together(() => {
      driver.publish({ data: 'a' });
      driver.tick(5_000);
      driver.publish({ data: 'b' });
    });
    const own = driver.messages('heard').filter(({ subject }) => subject.endsWith('timer.0'));
    expect(own.flatMap(({ rows }) => rows.map(({ item }) => item))).toEqual(['a', 'at 5000', 'b']);
  });

  it('reaches stages, but no topic: nobody keeps time there, and a ledger would fill up with ticks', () => {
    const driver = new TopologyDriver(clockToys());
    for (let at = 0; at < 10; at++) driver.tick(at * 1_000);
    expect(driver.messages('dead-letter')).toEqual([]);
    expect(driver.messages('heard').every(({ envelope }) => envelope.tickMs === undefined)).toBe(true);
    expect(driver.rows('heard')).toHaveLength(20);
  });

  it('does not end an epoch', () => {
    const driver = new TopologyDriver(liveToys());
    driver.tick(1_000);
    expect(driver.processor('sum').alignment.state.epoch).toBe(0);
    driver.publish({ data: '1 u u.a 1' });
    expect(driver.processor('sum', 0).alignment.state.epoch + driver.processor('sum', 1).alignment.state.epoch).toBe(1);
  });
});

describe('held messages', () => {
  const table = frameOf(
    weights,
    Array.from({ length: 6 }, (_, i) => ({ item: `u${i}!`, weight: i + 1 })),
  );
  const chunks = Array.from({ length: 9 }, (_, i) => ({
    data: [0, 1, 2].map((k) => `u${(i + k * i) % 6} x ${i * 3 + k}`).join('\n'),
    endsEpoch: i % 3 === 2,
    endsInput: i === 8,
  }));
  const instances = ['split', 'gather', 'weigh', 'join'].flatMap((id) => [0, 1].map((p) => [id, p] as const));

  function results(seed: number | undefined): unknown {
    const random = seededRandom(seed ?? 0);
    const topology = boundedToys({ source: 2, user: 2, item: 2 });
    const driver: TopologyDriver = new TopologyDriver(topology, (n) => {
      const [id, p] = instances[Math.floor(random() * instances.length)]!;
      if (seed !== undefined && random() < 0.2) driver.snapshot(id, p);
      return seed === undefined ? 0 : Math.floor(random() * n);
    });
    const feed = (from: number, to: number): void => {
      driver.together(() => {
        // Writer 1 of `split` is always a few chunks ahead.
        for (const chunk of chunks.slice(from, to)) driver.chunk('split', 'folder', chunk, 1);
        for (const chunk of chunks.slice(Math.max(0, from - 3), Math.max(0, to - 3)))
          driver.chunk('split', 'folder', chunk, 0);
      });
      if (seed === undefined) return;
      const [id, p] = instances[Math.floor(random() * instances.length)]!;
      driver.crash(id, p);
    };
    for (let at = 0; at < 12; at += 2) {
      feed(at, at + 2);
      if (at === 6) driver.table('weigh', 'table', 'item', table);
    }
    return driver.messages('results').map(({ subject, rows, envelope: { epoch, endsEpoch, endsInput } }) => ({
      ...{ subject, rows, epoch, endsEpoch, endsInput },
    }));
  }

  const sorted = (messages: unknown): unknown =>
    [...(messages as { subject: string }[])].sort((a, b) =>
      a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0,
    );

  it('go on in order when their epoch begins, through any interleaving, snapshots and crashes', () => {
    const expected = sorted(results(undefined));
    expect((expected as { endsEpoch: boolean }[]).filter(({ endsEpoch }) => endsEpoch)).toHaveLength(6);
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        expect(sorted(results(seed))).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });

  it('wait for the side input of their epoch, and are copies: a reader’s memory may be used again', () => {
    const driver = new TopologyDriver(boundedToys());
    driver.chunk('split', 'folder', { data: 'u0 x 1', endsEpoch: true, endsInput: true });
    const waiting = [0, 1].map((p) => driver.processor('join', p).buffer.count);
    expect(waiting.every((count) => count > 0)).toBe(true);
    expect(driver.rows('results')).toEqual([]);
    driver.table('weigh', 'table', 'item', table);
    expect([0, 1].map((p) => driver.processor('join', p).buffer.count)).toEqual([0, 0]);
    expect(driver.rows('results')).toEqual([{ user: 'u0', n: 1, epochs: 1, weighted: 1 }]);
  });
});
