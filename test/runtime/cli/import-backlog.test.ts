/** What an import waits for, while NATS is away and readers come and go. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { mainTopology } from '../../../actors/topology.js';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { Backlog } from '../../../runtime/cli/import/backlog.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { transient } from '../../../runtime/contract/errors.js';
import { streamOf } from '../../../runtime/contract/graph.js';
import type { Log, LogMessage } from '../../../runtime/contract/ports.js';
import { until, VirtualClock } from '../virtual-clock.js';

const LAST = 100;

const { config } = loadConfig({ env: {}, cwd: import.meta.dirname, flags: [] });
const topology = mainTopology({ ...pipelineOptions(config), partitions: { source: 1, user: 1, item: 1 } });
const READ = topology.stages.map(({ id }) => id).filter((id) => id !== 'parse');

/** The live pipeline, each stage of one partition. */
function bed() {
  const clock = new VirtualClock();
  const nats = { isAway: false, position: 0, holdsBack: false, full: 0, readers: [] as readonly object[] };
  const answer = <T>(value: T): Promise<T> =>
    nats.isAway ? Promise.reject(transient('LOG_UNREACHABLE', 'NATS is away')) : Promise.resolve(value);
  const output = (): Partial<LogMessage> => ({
    ...{ sequence: 1, expected: 0 },
    data: toBinary(
      EnvelopeSchema,
      create(EnvelopeSchema, { sequence: nats.position, lastPart: true, holdsBack: nats.holdsBack }),
    ),
  });
  const log = {
    last: () => answer(output()),
    info: () => answer({ lastSequence: LAST }),
  } as unknown as Log;
  const streams = { info: () => answer({ state: { bytes: nats.full }, config: { max_bytes: 1 } }) };
  /** Each mailbox but the first has been read to its end; those of the first are read by `nats.readers`. */
  const list = async function* (stream: string): AsyncGenerator<ConsumerInfo> {
    const done = { name: 'node_x_0', delivered: { stream_seq: LAST }, num_pending: 0 };
    for (const reader of await answer(stream === streamOf(READ[0]!) ? nats.readers : [done]))
      yield { stream_name: stream, created: '2026', config: { filter_subject: 'm' }, ...reader } as ConsumerInfo;
  };
  const backlog = new Backlog({
    ...{ log, clock, signal: new AbortController().signal, processes: async () => new Set(['node']) },
    manager: { consumers: { list }, streams } as unknown as JetStreamManager,
    topology,
  });
  /** How it ended, and whether it has. */
  const outcome = (work: Promise<void>) => {
    const end: { value?: unknown } = {};
    void work.then(
      () => (end.value = 'done'),
      (error: unknown) => (end.value = error),
    );
    return end;
  };
  const passes = async (ms: number): Promise<void> => {
    const atMs = clock.monotonicMs() + ms;
    await until(clock, () => clock.monotonicMs() >= atMs);
  };
  return { backlog, nats, outcome, passes, clock };
}

it('waits while NATS is away, but not for ever', async () => {
  const { backlog, nats, outcome, passes, clock } = bed();
  for (let sequence = 1; sequence <= 64; sequence++) backlog.stored(0, sequence);
  nats.isAway = true;
  const first = outcome(backlog.room());
  await passes(60_000);
  expect(first).toEqual({});
  [nats.isAway, nats.position] = [false, 64];
  await until(clock, () => first.value !== undefined);
  expect(first.value).toBe('done');

  for (let sequence = 65; sequence <= 128; sequence++) backlog.stored(0, sequence);
  nats.isAway = true;
  const second = outcome(backlog.room());
  await until(clock, () => second.value !== undefined);
  expect(second.value).toMatchObject({
    code: 'IMPORT_STALLED',
    hint: expect.stringContaining('the same command goes on where this one stopped'),
    cause: { code: 'LOG_UNREACHABLE' },
  });
});

it('ends when each mailbox has a reader that was sent all, whoever reads it by then', async () => {
  const { backlog, nats, outcome, passes, clock } = bed();
  nats.position = 1_000_000;
  nats.readers = [{ name: 'lost_x_1', delivered: { stream_seq: LAST }, num_pending: 0 }];
  const end = outcome(backlog.processed());
  await passes(10_000);
  // Its node is away, and nobody has taken its mailbox over.
  expect(end).toEqual({});
  nats.readers = [{ name: 'node_x_2', delivered: { stream_seq: LAST - 1 }, num_pending: 3 }];
  await passes(10_000);
  expect(end).toEqual({});
  // Live events go on to come, so that something is always left.
  nats.readers = [{ name: 'node_x_3', delivered: { stream_seq: LAST + 5 }, num_pending: 3 }];
  await until(clock, () => end.value !== undefined);
  expect(end.value).toBe('done');
});

it('publishes no more while a stream fills, and ends when no user waits for a list', async () => {
  const { backlog, nats, outcome, passes, clock } = bed();
  for (let sequence = 1; sequence <= 64; sequence++) backlog.stored(0, sequence);
  [nats.position, nats.full] = [64, 0.71];
  nats.readers = [{ name: 'node_x_1', delivered: { stream_seq: LAST }, num_pending: 0 }];
  const room = outcome(backlog.room());
  await passes(10_000);
  expect(room).toEqual({});
  nats.full = 0.5;
  await until(clock, () => room.value !== undefined);
  expect(room.value).toBe('done');

  nats.holdsBack = true;
  const end = outcome(backlog.processed());
  await passes(10_000);
  expect(end).toEqual({});
  nats.holdsBack = false;
  await until(clock, () => end.value !== undefined);
  expect(end.value).toBe('done');
});
