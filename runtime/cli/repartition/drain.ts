/**
 * Before a repartition, all messages between the stages are processed, so that only state has to move. Publishers' messages that parse has not
 * read stay in its mailbox.
 *
 * Nothing is trimmed or copied: if the repartition fails, the nodes can start as before.
 */
import { catchUp, COPIED, forget, sequencesOf } from '../../replication/reader.js';
import type { ReplicaStore } from '../../replication/store.js';
import { fatal } from '../../contract/errors.js';
import { streamOf, type Topology } from '../../contract/graph.js';
import { Host } from '../../shards/host.js';
import { type HostOptions } from '../../shards/shard.js';
import { type ShardSpec } from '../../shards/shard-spec.js';
import { mustFitLog } from '../../log-integrity/preflight.js';
import type { Log } from '../../contract/ports.js';
import { hasPublishers, mailboxSubjects } from '../../contract/streams.js';

export type DrainOptions = Omit<HostOptions, 'tickEveryMs'> & {
  readonly shards: readonly ShardSpec[];
  readonly copies: ReplicaStore;
};

const LOOK_EVERY_MS = 20;

/** Resolves when the stores of all shards include the last message of every mailbox but those of publishers. */
export async function drain({ shards, copies, ...options }: DrainOptions): Promise<void> {
  const { topology, log } = options;
  for (const shard of shards) await atNewestCopy(shard, copies, options);
  const read = shards.map((shard) => ({ ...shard, stages: shard.stages.filter((id) => !hasPublishers(topology, id)) }));
  let onFatal: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (onFatal = reject));
  // Thrown where it is raced; until then it must not count as unhandled.
  failed.catch(() => undefined);
  const host = await Host.start(read, { ...options, log: untrimmed(log), tickEveryMs: 0 }, onFatal);
  try {
    await Promise.race([failed, quiet(host, read, options)]);
  } finally {
    await host.stop();
  }
  for (const shard of read) await mustInclude(shard, options);
}

/** From now on the store does not record changed keys: its next copy is a complete one. */
async function atNewestCopy(
  shard: ShardSpec,
  copies: ReplicaStore,
  { openStore, topology, log }: Opened,
): Promise<void> {
  const store = await openStore(shard.name);
  try {
    await mustFitLog({ topology, shard, log, store });
    const have = sequencesOf(store, shard);
    const fresh = shard.stages.filter((id) => have[id] === 0);
    if (fresh.length > 0) await forget(shard, store, fresh);
    await catchUp(copies, shard, store);
    await store.write([{ key: COPIED, value: undefined }]);
  } finally {
    await store.close();
  }
}

type Opened = Pick<HostOptions, 'openStore' | 'topology' | 'log'>;

const untrimmed = (log: Log): Log => ({
  payloadBytesMax: log.payloadBytesMax,
  ensureStream: (spec) => log.ensureStream(spec),
  info: (stream) => log.info(stream),
  read: (stream, options) => log.read(stream, options),
  publish: (subject, data, options) => log.publish(subject, data, options),
  last: (stream, subject) => log.last(stream, subject),
  purge: () => Promise.resolve(),
  close: () => log.close(),
});

/**
 * Twice in a row nothing is left to read and nothing is in flight: the first stages have no more input, so they stay idle, and so do the stages behind
 * them.
 */
async function quiet(
  host: Host,
  shards: readonly ShardSpec[],
  { topology, log, clock }: Omit<DrainOptions, 'shards' | 'copies'>,
): Promise<void> {
  for (let before = ''; ;) {
    const statuses = host.statuses;
    const ends: number[] = [];
    for (const { stages, partition } of shards) {
      for (const id of stages) {
        const end = await endOf(topology, log, id, partition);
        const status = statuses.find((one) => one.stage === id && one.partition === partition);
        const isRead = status !== undefined && status.sequence >= end && status.unacknowledged === 0;
        ends.push(isRead ? end : -1);
      }
    }
    const now = ends.includes(-1) ? '' : ends.join();
    if (now !== '' && now === before) return;
    before = now;
    await clock.sleep(LOOK_EVERY_MS);
  }
}

/** The last message of a mailbox, from any writer; 0 for none. */
async function endOf(topology: Topology, log: Log, stage: string, partition: number): Promise<number> {
  const { writers } = mailboxSubjects(topology, stage, partition);
  const lasts = await Promise.all(writers.map((subject) => log.last(streamOf(stage), subject)));
  return Math.max(0, ...lasts.map((last) => last?.sequence ?? 0));
}

async function mustInclude(shard: ShardSpec, { openStore, topology, log }: Opened): Promise<void> {
  const store = await openStore(shard.name);
  try {
    const have = sequencesOf(store, shard);
    for (const id of shard.stages) {
      if ((have[id] ?? 0) >= (await endOf(topology, log, id, shard.partition))) continue;
      throw fatal('REPARTITION_UNREAD', `${id}.${shard.partition} could not write a snapshot of all that it has read`, {
        hint: 'nothing was changed: see the log lines above, and whether the disk is full',
      });
    }
  } finally {
    await store.close();
  }
}
