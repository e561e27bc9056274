/**
 * Before a repartition: what is under way between the stages is taken in, so that state is all there is to move. Publishers' messages that parse has not
 * read stay in its mailbox.
 *
 * Nothing is trimmed, and no copy made: whatever becomes of the repartition, the nodes can start as they were.
 */
import { catchUp, COPIED, forget, sequencesOf } from '../../replication/reader.js';
import type { Copies } from '../../replication/store.js';
import { fatal } from '../../contract/errors.js';
import { streamOf, type Topology } from '../../contract/graph.js';
import { Host, type HostOptions, type Unit } from '../../shards/host.js';
import { mustFitLog } from '../../log-integrity/preflight.js';
import type { Log } from '../../contract/ports.js';
import { hasPublishers, mailboxSubjects } from '../../contract/streams.js';

export type DrainOptions = Omit<HostOptions, 'tickEveryMs'> & {
  readonly units: readonly Unit[];
  readonly copies: Copies;
};

const LOOK_EVERY_MS = 20;

/** Resolves when the stores of all units include the last message of every mailbox but those of publishers. */
export async function drain({ units, copies, ...options }: DrainOptions): Promise<void> {
  const { topology, log } = options;
  for (const unit of units) await atNewestCopy(unit, copies, options);
  const read = units.map((unit) => ({ ...unit, stages: unit.stages.filter((id) => !hasPublishers(topology, id)) }));
  let onFatal: (error: Error) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => (onFatal = reject));
  failed.catch(() => undefined);
  const host = await Host.start(read, { ...options, log: untrimmed(log), tickEveryMs: 0 }, onFatal);
  try {
    await Promise.race([failed, quiet(host, read, options)]);
  } finally {
    await host.stop();
  }
  for (const unit of read) await mustInclude(unit, options);
}

/** From now on the store does not say which keys change: its next copy is a whole one. */
async function atNewestCopy(unit: Unit, copies: Copies, { openStore, topology, log }: Opened): Promise<void> {
  const store = await openStore(unit.name);
  try {
    await mustFitLog({ topology, unit, log, store });
    const have = sequencesOf(store, unit);
    const fresh = unit.stages.filter((id) => have[id] === 0);
    if (fresh.length > 0) await forget(unit, store, fresh);
    await catchUp(copies, unit, store);
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
 * Twice in a row nothing is left to read and nothing is on its way: the first stages have no input any more, so they stay quiet, and so do those behind
 * them.
 */
async function quiet(
  host: Host,
  units: readonly Unit[],
  { topology, log, clock }: Omit<DrainOptions, 'units' | 'copies'>,
): Promise<void> {
  for (let before = ''; ;) {
    const statuses = host.statuses;
    const ends: number[] = [];
    for (const { stages, partition } of units) {
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

/** The last message of a mailbox, of whichever writer; 0 for none. */
async function endOf(topology: Topology, log: Log, stage: string, partition: number): Promise<number> {
  const { writers } = mailboxSubjects(topology, stage, partition);
  const lasts = await Promise.all(writers.map((subject) => log.last(streamOf(stage), subject)));
  return Math.max(0, ...lasts.map((last) => last?.sequence ?? 0));
}

async function mustInclude(unit: Unit, { openStore, topology, log }: Opened): Promise<void> {
  const store = await openStore(unit.name);
  try {
    const have = sequencesOf(store, unit);
    for (const id of unit.stages) {
      if ((have[id] ?? 0) >= (await endOf(topology, log, id, unit.partition))) continue;
      throw fatal('REPARTITION_UNREAD', `${id}.${unit.partition} could not write a snapshot of all that it has read`, {
        hint: 'nothing was changed: see the log lines above, and whether the disk is full',
      });
    }
  } finally {
    await store.close();
  }
}
