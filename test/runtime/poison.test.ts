/** Poison: an input that fails the same way again and again goes to the dead letters, it alone, and the rest goes on (design §3). */
import { describe, expect, it } from 'vitest';
import { map, mergeMap, merge } from 'rxjs';
import { MemoryStore } from '../../state/memory-store.js';
import { create, toBinary } from '@bufbuild/protobuf';
import { ChunkSchema, EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { buriedInputs } from '../../runtime/buried.js';
import { textOf, utf8 } from '../../runtime/bytes.js';
import { fatal, poison, transient } from '../../runtime/errors.js';
import { defineTopology, edge, source, subjectOf, topic, type Topology } from '../../runtime/graph.js';
import { deadLetters, frameOf, input, RAW, rowsOf, stage, value } from '../../runtime/stage.js';
import { ActorBed, line, ONE } from './actor-bed.js';
import { liveToys, type Trap, words } from './toy-stages.js';

const BUG =
  (bad: string): Trap =>
  (one) => {
    if (one === bad) throw new Error(`cannot digest ${bad}`);
  };

const originals = (bed: ActorBed): string[] =>
  bed.rows('dead-letter').map(({ original }) => textOf(Buffer.from(String(original), 'base64')));

describe('a message that the stage throws on', () => {
  it('is buried after three identical failures; what comes before and after is taken in', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: BUG('u3') }));
    const reader = bed.start('read', 0, { knobs: { frameMessages: 1 } });
    const { status, failure } = bed.start('sum');
    await bed.publish(...[1, 2, 3, 4, 5].map((i) => line(i, i, `u${i}`)));
    await bed.until(() => status.sequence === 5);
    await bed.quiet();
    expect(bed.rows('rank').map(({ user }) => user)).toEqual(['u1', 'u2', 'u4', 'u5']);
    expect(bed.rows('dead-letter')).toMatchObject([
      { stage: 'sum', rule: 'poison', sequence: 3, subject: 'rivulet.sum.0.read.0' },
    ]);
    expect(status.restarts).toBe(3);
    expect(status.counters).toMatchObject({ events: 4, on_time: 4 });
    // Its row was counted as an event by `read`: 5 = 4 + 1.
    expect(status.burials).toEqual({ messages: 1, rows: 1 });
    expect(reader.status.counters.events).toBe(5);
    expect(failure()).toBeUndefined();
  });

  it('that says that it is poison is buried at once', async () => {
    const trap: Trap = (one) => {
      if (one === 'u1') throw poison('BAD', 'not for me');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read', 0, { knobs: { frameMessages: 1 } });
    const { status } = bed.start('sum');
    await bed.publish(line(1, 1, 'u1'), line(2, 2, 'u2'));
    await bed.quiet();
    expect([status.restarts, bed.rows('rank').map(({ user }) => user)]).toEqual([1, ['u2']]);
  });

  it('is said to be dead once, also when the process dies before a snapshot', async () => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: BUG('u2') }));
    bed.start('read', 0, { knobs: { frameMessages: 1 } });
    const knobs = { snapshotEveryMs: 1e12 };
    bed.start('sum', 0, { knobs });
    await bed.publish(...[1, 2, 3].map((i) => line(i, i, `u${i}`)));
    await bed.quiet();
    const { status } = bed.start('sum', 0, { knobs });
    await bed.until(() => status.sequence === 3);
    await bed.quiet();
    expect(status.burials).toEqual({ messages: 1, rows: 1 });
    expect(bed.rows('dead-letter')).toHaveLength(1);
    expect(bed.rows('rank').map(({ user }) => user)).toEqual(['u1', 'u3']);
  });
});

it('as large as a message may be is buried whole, in pieces that fit', async () => {
  const large = line(1, '7'.repeat(900_000));
  const bed = await ActorBed.make(liveToys({ partitions: ONE, trap: BUG(large) }));
  await bed.publish(large, line(2));
  const { status, failure } = bed.start('read', 0, { knobs: { frameMessages: 1 } });
  await bed.until(() => status.sequence === 2);
  await bed.quiet();
  expect(failure()).toBeUndefined();
  expect(originals(bed).join('')).toBe(large);
  expect(bed.rows('dead-letter').map(({ index }) => index)).toEqual([0, 1, 2, 3, 4]);
  expect(bed.rows('sum').map(({ n }) => n)).toEqual([2]);
});

it('that is no message of ours at all is buried, not tripped over for ever', async () => {
  const bed = await ActorBed.make(liveToys({ partitions: ONE }));
  bed.start('read');
  const { status } = bed.start('sum');
  await bed.log.publish('rivulet.sum.0.stranger.0', Uint8Array.of(255, 255, 255));
  await bed.publish(line(1));
  await bed.until(() => status.sequence === 2);
  await bed.quiet();
  expect(bed.rows('dead-letter')).toMatchObject([{ rule: 'poison', subject: 'rivulet.sum.0.stranger.0' }]);
  expect(bed.rows('rank')).toHaveLength(1);
});

describe('a publisher’s message in a batch', () => {
  it.each([
    ['throws', BUG(line(3))],
    [
      'says poison',
      (one: string) => {
        if (one === line(3)) throw poison('BAD', 'not for me');
      },
    ],
  ])('that the stage %s on is buried, and none of its neighbours', async (_, trap) => {
    const bed = await ActorBed.make(liveToys({ partitions: ONE, trap }));
    await bed.publish(...[1, 2, 3, 4, 5, 6].map((id) => line(id)));
    const { status } = bed.start('read', 0, { knobs: { frameMessages: 6 } });
    await bed.until(() => status.sequence === 6);
    await bed.quiet();
    expect(originals(bed)).toEqual([line(3)]);
    expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2, 4, 5, 6]);
    expect(status.counters).toEqual({ events: 6, on_time: 5, late: 0, dead_letter: 1, duplicates: 0 });
    expect(status.burials).toEqual({ messages: 1, rows: 0 });
  });

  it('may be one of several in one batch', async () => {
    const trap: Trap = (one) => {
      if ([line(2), line(5)].includes(one)) throw new Error('no');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, trap }));
    await bed.publish(...[1, 2, 3, 4, 5, 6].map((id) => line(id)));
    const { status } = bed.start('read', 0, { knobs: { frameMessages: 6 } });
    await bed.until(() => status.sequence === 6);
    await bed.quiet();
    expect(originals(bed)).toEqual([line(2), line(5)]);
    expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 3, 4, 6]);
  });
});

describe('what is no poison', () => {
  it('a transient failure is tried again and again, never buried', async () => {
    let failures = 0;
    const trap: Trap = (one) => {
      if (one === 'u1' && failures++ < 30) throw transient('AWAY', 'for a moment');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read');
    const { status } = bed.start('sum');
    await bed.publish(line(1, 1, 'u1'));
    await bed.until(() => status.sequence === 1);
    await bed.quiet();
    expect([status.restarts, bed.rows('dead-letter'), bed.rows('rank').length]).toEqual([30, [], 1]);
  });

  it('a fatal error stops at once and says why', async () => {
    const trap: Trap = () => {
      throw fatal('NO_WAY', 'going on would be wrong');
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read');
    const { status, ended, failure } = bed.start('sum');
    await bed.publish(line(1));
    await bed.until(ended);
    expect(failure()).toMatchObject({ reaction: 'fatal', code: 'NO_WAY' });
    expect(status).toMatchObject({ state: 'failed', restarts: 0 });
  });

  it('failures that differ each time use up the budget and escalate', async () => {
    let n = 0;
    const trap: Trap = () => {
      throw new Error(`failure ${n++}`);
    };
    const bed = await ActorBed.make(liveToys({ partitions: ONE, sumTrap: trap }));
    bed.start('read');
    const strategy = { restartsMax: 4, windowMs: 1e12, backoffFirstMs: 1, backoffMaxMs: 1, poisonAfter: 3 };
    const { status, ended, failure } = bed.start('sum', 0, { strategy });
    await bed.publish(line(1));
    await bed.until(ended);
    expect(failure()).toMatchObject({ code: 'INSTANCE_FAILED', cause: { message: 'failure 4' } });
    expect(failure()!.message).toContain('sum.0 gave up: more than 4 restarts within');
    expect(status.restarts).toBe(4);
  });
});

/** raw chunks → `lines` (aligned) → `keeper` (aligned), which says at the end of an epoch what it holds. */
function alignedTopology(onRow: Trap, onEnd: (epoch: number) => void, onChunk: Trap = () => undefined): Topology {
  const lines = stage({
    id: 'lines',
    key: 'source',
    version: 1,
    inputs: { events: input(RAW) },
    outputs: { rows: words, deadLetters },
    state: {},
    pipeline: ({ inputs, out }) =>
      inputs.events.pipe(
        map(({ messages }) => {
          const item = textOf(messages[0]!.data);
          onChunk(item);
          return out.rows(frameOf(words, [{ user: 'u', item }]));
        }),
      ),
  });
  const keeper = stage({
    id: 'keeper',
    key: 'user',
    version: 1,
    inputs: { rows: input(words) },
    outputs: { rows: words },
    state: { held: value<string[]>(() => []) },
    pipeline: ({ inputs, out, state, epochEnds }) =>
      merge(
        inputs.rows.pipe(
          mergeMap((frame) => {
            for (const { item } of rowsOf(frame)) {
              onRow(item!);
              state.held.set([...state.held.get(), item!]);
            }
            return [];
          }),
        ),
        epochEnds.pipe(
          map(({ epoch }) => {
            onEnd(epoch);
            const rows = [...state.held.get()].sort().map((item) => ({ user: String(epoch), item }));
            state.held.set([]);
            return out.rows(frameOf(words, rows), { everywhere: true });
          }),
        ),
      ),
  });
  const out = topic('kept', words, 'user', { ledger: false });
  const dead = topic('dead-letter', deadLetters, 'source', { ledger: true });
  return defineTopology({
    partitions: { source: 2, user: 1, item: 1 },
    stages: [lines, keeper],
    topics: [out, dead],
    edges: [
      edge(source('folder'), lines.in.events, { by: 'source' }),
      edge(lines.out.rows, keeper.in.rows, { by: 'user' }),
      edge(keeper.out.rows, out.in.rows, { by: 'user' }),
      edge(lines.out.deadLetters, dead.in.rows, { by: 'source' }),
    ],
    aligned: new Set(['lines', 'keeper']),
  });
}

describe('in aligned epochs', () => {
  const chunk = (bed: ActorBed, p: number, text: string, endsInput = false) => {
    const value = create(ChunkSchema, { data: utf8(text) });
    const envelope = create(EnvelopeSchema, { endsEpoch: true, endsInput, body: { case: 'chunk', value } });
    return bed.log.publish(subjectOf('lines', p, 'folder', p), toBinary(EnvelopeSchema, envelope));
  };
  const kept = (bed: ActorBed): unknown[] => bed.rows('kept').map(({ user, item }) => `${user} ${item}`);
  const run = async (onRow: Trap, onEnd: (epoch: number) => void = () => undefined) => {
    const bed = await ActorBed.make(alignedTopology(onRow, onEnd));
    const lines = [0, 1].map((p) => bed.start('lines', p));
    // Writer 0 is two epochs ahead: what it says of epochs 1 and 2 is held.
    for (const [e, text] of ['a0', 'a1', 'a2'].entries()) await chunk(bed, 0, text, e === 2);
    await bed.until(() => lines[0]!.status.finished);
    const keeper = bed.start('keeper', 0, { store: new MemoryStore() });
    await bed.until(() => keeper.status.heldMessages === 3);
    for (const [e, text] of ['b0', 'b1', 'b2'].entries()) await chunk(bed, 1, text, e === 2);
    await bed.until(() => keeper.status.finished || keeper.ended());
    if (!keeper.ended()) await bed.quiet();
    return { bed, keeper };
  };

  it('nothing is buried where nothing fails', async () => {
    const { bed } = await run(() => undefined);
    expect(kept(bed)).toEqual(['0 a0', '0 b0', '1 a1', '1 b1', '2 a2', '2 b2']);
  });

  it.each(['a0', 'b0', 'a1', 'b1', 'a2', 'b2'])(
    '%s is buried alone, held or not; its epoch still ends',
    async (bad) => {
      const { bed } = await run(BUG(bad));
      const all = ['0 a0', '0 b0', '1 a1', '1 b1', '2 a2', '2 b2'];
      expect(kept(bed)).toEqual(all.filter((one) => !one.endsWith(bad)));
      expect(bed.rows('dead-letter')).toHaveLength(1);
      expect(bed.messages('kept').filter(({ envelope }) => envelope.endsEpoch)).toHaveLength(3);
      expect(bed.messages('kept').filter(({ envelope }) => envelope.endsInput)).toHaveLength(1);
    },
  );

  it('a buried chunk counts as many events as it has lines, all in the dead letters', async () => {
    const lines = 'one\ntwo\nthree';
    const bed = await ActorBed.make(
      alignedTopology(
        () => undefined,
        () => undefined,
        BUG(lines),
      ),
    );
    const { status } = bed.start('lines');
    await chunk(bed, 0, lines);
    await bed.until(() => status.sequence === 1);
    await bed.quiet();
    expect(status.counters).toMatchObject({ events: 3, dead_letter: 3 });
    expect(status.burials).toEqual({ messages: 1, rows: 0 });
  });

  it('a failure at the end of an epoch cannot be buried: it escalates, and nothing stays buried', async () => {
    const { bed, keeper } = await run(
      () => undefined,
      (epoch) => {
        if (epoch === 1) throw new Error('cannot end');
      },
    );
    expect(keeper.failure()?.message).toMatch(/^keeper\.0 gave up: its input \d+ was buried, and it fails still/);
    expect(
      await buriedInputs({ log: bed.log, stage: { id: 'keeper' }, partition: 0 }, await bed.identity('keeper')),
    ).toEqual(new Set());
  });
});
