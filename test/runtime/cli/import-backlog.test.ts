/** What an import waits for, while NATS is away and readers come and go. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { ConsumerInfo, JetStreamManager } from '@nats-io/jetstream';
import { expect, it } from 'vitest';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { Backlog } from '../../../runtime/cli/import/backlog.js';
import { transient } from '../../../runtime/contract/errors.js';
import { CLOCK, streamOf, type Topology } from '../../../runtime/contract/graph.js';
import type { Log, LogMessage } from '../../../runtime/contract/ports.js';
import { until, VirtualClock } from '../virtual-clock.js';

const LAST = 100;

/** Parse, and one stage behind it, each of one partition. */
function bed() {
  const clock = new VirtualClock();
  const nats = { isAway: false, position: 0, readers: [] as readonly object[] };
  const answer = <T>(value: T): Promise<T> =>
    nats.isAway ? Promise.reject(transient('LOG_UNREACHABLE', 'NATS is away')) : Promise.resolve(value);
  let ticks = 0;
  const last = (subject: string): Partial<LogMessage> =>
    subject.includes(CLOCK)
      ? { sequence: ++ticks }
      : {
          sequence: 1,
          expected: 0,
          data: toBinary(EnvelopeSchema, create(EnvelopeSchema, { sequence: nats.position })),
        };
  const log = {
    last: (_: string, subject: string) => answer(last(subject)),
    info: () => answer({ lastSequence: LAST }),
  } as unknown as Log;
  const list = async function* (): AsyncGenerator<ConsumerInfo> {
    for (const reader of await answer(nats.readers))
      yield {
        ...{ name: 'node_x_1', stream_name: streamOf('watermark'), created: '2026', config: { filter_subject: 'm' } },
        ...reader,
      } as ConsumerInfo;
  };
  const backlog = new Backlog({
    ...{ log, clock, signal: new AbortController().signal, processes: async () => new Set(['node']) },
    manager: { consumers: { list } } as unknown as JetStreamManager,
    topology: { stages: [{ id: 'parse' }, { id: 'watermark' }], count: () => 1 } as unknown as Topology,
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
