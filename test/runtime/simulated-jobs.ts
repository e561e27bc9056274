/** The two toy topologies as jobs for the simulation: what is fed, what must come out, and what must hold of every run. */
import { fromBinary } from '@bufbuild/protobuf';
import { expect } from 'vitest';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { utf8 } from '../../runtime/bytes.js';
import { reactionOf } from '../../runtime/errors.js';
import { frameOf, rowsOf } from '../../runtime/frame.js';
import { fromWire } from '../../runtime/frame-codec.js';
import { streamOf, type Topology, writerOf } from '../../runtime/graph.js';
import type { ChunkSource, Log, LogMessage, SourceChunk } from '../../runtime/ports.js';
import { writeChunks, writeTable } from '../../runtime/source-writer.js';
import type { MemoryLog } from '../support/memory-log.js';
import type { PlainRow } from '../support/topology-driver.js';
import { groupedBy } from './grouped.js';
import { SILENT, type Simulation } from './simulation.js';
import { boundedToys, liveToys, weights } from './toy-stages.js';

export interface Job {
  readonly topology: () => Topology;
  readonly feed: (simulation: Simulation, log: Log) => Promise<void>;
  /** What of the outcome must be the same in every run. */
  readonly outcome: (simulation: Simulation) => unknown;
}

/** `id user item n`; every ninth is no event, every eleventh comes twice. */
export const LINES: readonly string[] = Array.from({ length: 36 }, (_, i) => {
  const user = `u${i % 6}`;
  return i % 9 === 8 ? `${i} ${user} bad` : `${i % 11 === 10 ? i - 6 : i} ${user} ${user}.${'abcd'[i % 4]} ${i}`;
});
const userOf = (line: string): string => line.split(' ')[1]!;
const GOOD = new Set(LINES.filter((line) => !line.endsWith('bad')).map((line) => line.split(' ')[0])).size;
const BAD = LINES.filter((line) => line.endsWith('bad'));

/** Publishers repeat what got no ack, so a line may come more than once; a user's lines come in order. */
export const liveJob: Job = {
  topology: () => liveToys(),
  feed: async (_, log) => {
    const users = [...new Set(LINES.map(userOf))];
    const publishers = users.map(async (user) => {
      for (const line of LINES.filter((one) => userOf(one) === user)) {
        await untilDone(() => log.publish(`rivulet.events.word.${user}`, utf8(line)));
      }
    });
    await Promise.all(publishers);
  },
  outcome: (simulation) => {
    const counts = simulation.counters('read');
    for (const { events, on_time, late, dead_letter, duplicates } of counts) {
      expect(events).toBe(on_time + late + dead_letter + duplicates);
    }
    expect(counts.reduce((sum, { on_time }) => sum + on_time, 0)).toBe(GOOD);
    const bad = messagesOf(simulation.log, simulation, 'dead-letter', liveJob.topology());
    const refused = bad.flatMap(({ rows }) => rows.map(({ original }) => original));
    expect(refused).toHaveLength(counts.reduce((sum, { dead_letter }) => sum + dead_letter, 0));
    expect(new Set(refused)).toEqual(new Set(BAD));
    const rows = messagesOf(simulation.log, simulation, 'totals', liveJob.topology()).flatMap(
      (message) => message.rows,
    );
    return groupedBy(rows, ({ item }) => String(item));
  },
};

const CHUNKS: readonly SourceChunk[] = Array.from({ length: 12 }, (_, i) => ({
  ...{ format: 'csv' as const, file: 'words', line: i * 4 + 1, header: new Uint8Array(0) },
  data: utf8([0, 1, 2, 3].map((k) => `u${(i * 3 + k * k) % 7} x ${i + k}`).join('\n')),
  ...{ nextOffset: i + 1, nextLine: i * 4 + 5, endsEpoch: i % 3 === 2, endsInput: i === 11 },
}));

const chunks: ChunkSource = {
  async *chunks(after) {
    yield* CHUNKS.slice(after?.nextOffset ?? 0);
  },
};

const TABLE = Array.from({ length: 7 }, (_, i) => frameOf(weights, [{ item: `u${i}!`, weight: 10 ** i }]));

export const boundedJob: Job = {
  topology: () => boundedToys(),
  feed: async (simulation, log) => {
    const options = { log, clock: simulation.clock, logger: SILENT };
    const frames = async function* () {
      yield* TABLE;
    };
    const target = { to: 'weigh', from: 'table', by: 'item', partitions: 2 };
    // Each writer is broken off now and then, and goes on behind what it has said.
    const again = (write: (signal: AbortSignal) => Promise<void>): Promise<void> =>
      untilDone(() => {
        const abort = new AbortController();
        if (simulation.random() < 0.7)
          void simulation.clock.sleep(simulation.random() * 300).then(() => {
            abort.abort(new Error('broken off'));
          });
        return write(abort.signal);
      });
    await Promise.all([
      again((signal) => writeChunks({ ...options, signal }, chunks, { to: 'split', from: 'folder' }, () => undefined)),
      again((signal) => writeTable({ ...options, signal }, frames(), target)),
    ]);
  },
  outcome: (simulation) => {
    const messages = messagesOf(simulation.log, simulation, 'results', boundedJob.topology());
    const said = messages.map(({ subject, rows, epoch, endsEpoch, endsInput }) => ({
      subject,
      rows,
      epoch,
      endsEpoch,
      endsInput,
    }));
    expect(simulation.counters('split').map(({ events, on_time }) => [events, on_time])).toEqual([[48, 48]]);
    return groupedBy(said, ({ subject }) => subject);
  },
};

async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (reactionOf(error) !== 'transient' && (error as Error).message !== 'broken off') throw error;
    }
  }
}

/** The messages of a topic; checks on the way that each subject's tags only rise: nothing was said twice. */
function messagesOf(log: MemoryLog, _: Simulation, id: string, topology: Topology) {
  const tags = new Map<string, readonly [sequence: number, part: number]>();
  return log.messages(streamOf(id)).map(({ subject, data }: LogMessage) => {
    const { body, output, epoch, endsEpoch, endsInput, sequence, part } = fromBinary(EnvelopeSchema, data);
    const before = tags.get(subject) ?? [0, 0];
    expect(
      sequence > before[0] || (sequence === before[0] && part > before[1]),
      `${subject}: ${sequence} after ${before[0]}`,
    ).toBe(true);
    tags.set(subject, [sequence, part]);
    const type = topology.stage(writerOf(subject).id).outputs[output];
    const rows: PlainRow[] = body.case === 'frame' ? rowsOf(fromWire(body.value, type!)) : [];
    return { subject, rows, epoch, endsEpoch, endsInput };
  });
}
