/** Poison in aligned epochs: a held message, a chunk, an end of an epoch. */
import { create, toBinary } from '@bufbuild/protobuf';
import { map, merge, mergeMap } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { ChunkSchema, EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { mailboxRecord } from '../../../runtime/actor/quarantine.js';
import { textOf, utf8 } from '../../../runtime/frames/bytes.js';
import {
  defineTopology,
  edge,
  source,
  streamOf,
  subjectOf,
  topic,
  type Topology,
} from '../../../runtime/contract/graph.js';
import { deadLetters, frameOf, input, RAW, rowsOf, stage, value } from '../../../runtime/contract/stage.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { ActorBed } from './actor-bed.js';
import { type Trap, words } from '../toy-stages.js';

const BUG =
  (bad: string): Trap =>
  (one) => {
    if (one === bad) throw new Error(`cannot digest ${bad}`);
  };

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
  const out = topic('kept', words, 'user', { browsable: false });
  const dead = topic('dead-letter', deadLetters, 'source', { browsable: true });
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
  const chunk = async (bed: ActorBed, p: number, text: string, endsInput = false) => {
    const value = create(ChunkSchema, { data: utf8(text) });
    const envelope = create(EnvelopeSchema, { endsEpoch: true, endsInput, body: { case: 'chunk', value } });
    const subject = subjectOf('lines', p, 'folder', p);
    const expected = (await bed.log.last(streamOf('lines'), subject))?.sequence ?? 0;
    await bed.log.publish(subject, toBinary(EnvelopeSchema, envelope), { expected });
  };
  const kept = (bed: ActorBed): unknown[] => bed.rows('kept').map(({ user, item }) => `${user} ${item}`);
  const run = async (onRow: Trap, onEnd: (epoch: number) => void = () => undefined) => {
    const bed = await ActorBed.make(alignedTopology(onRow, onEnd));
    const lines = [0, 1].map((p) => bed.start('lines', p));
    // Writer 0 is two epochs ahead: what it says of epochs 1 and 2 is held.
    for (const [e, text] of ['a0', 'a1', 'a2'].entries()) await chunk(bed, 0, text, e === 2);
    await bed.until(() => lines[0]!.status.finished);
    const keeper = bed.start('keeper', 0, { store: new MemoryStore() });
    await bed.until(() => keeper.status.bufferedMessages === 3);
    for (const [e, text] of ['b0', 'b1', 'b2'].entries()) await chunk(bed, 1, text, e === 2);
    await bed.until(() => keeper.status.finished || keeper.ended());
    if (!keeper.ended()) await bed.quiet();
    return { bed, keeper };
  };

  it('nothing is quarantined when nothing fails', async () => {
    const { bed } = await run(() => undefined);
    expect(kept(bed)).toEqual(['0 a0', '0 b0', '1 a1', '1 b1', '2 a2', '2 b2']);
  });

  it.each(['a0', 'b0', 'a1', 'b1', 'a2', 'b2'])(
    '%s is quarantined alone, buffered or not; its epoch still ends',
    async (bad) => {
      const { bed } = await run(BUG(bad));
      const all = ['0 a0', '0 b0', '1 a1', '1 b1', '2 a2', '2 b2'];
      expect(kept(bed)).toEqual(all.filter((one) => !one.endsWith(bad)));
      expect(bed.rows('dead-letter')).toHaveLength(1);
      expect(bed.messages('kept').filter(({ envelope }) => envelope.endsEpoch)).toHaveLength(3);
      expect(bed.messages('kept').filter(({ envelope }) => envelope.endsInput)).toHaveLength(1);
    },
  );

  it('a quarantined chunk counts as many events as it has lines, all in the dead letters', async () => {
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
    expect(status.quarantined).toEqual({ messages: 1, rows: 0 });
  });

  it('a failure at the end of an epoch cannot be quarantined: it escalates, and nothing stays quarantined', async () => {
    const { bed, keeper } = await run(
      () => undefined,
      (epoch) => {
        if (epoch === 1) throw new Error('cannot end');
      },
    );
    expect(keeper.failure()?.message).toMatch(/^keeper\.0 gave up: its input \d+ was quarantined, and it fails still/);
    const record = await mailboxRecord(
      { log: bed.log, stage: { id: 'keeper' }, partition: 0 },
      { identity: await bed.identity('keeper') },
    );
    expect(record.quarantined).toEqual(new Set());
  });
});
