/**
 * `rivulet repartition`: changes the number of partitions of users and items, and the chaining of stages, on stopped nodes.
 *
 *   state    pending messages are processed, and the state of all partitions is redistributed into new stores beside the old ones. Until here nothing
 *            has changed for the nodes
 *   streams  the streams between stages are recreated, old copies deleted, the change recorded in the deployment
 *   swap     the new stores replace the old ones
 *   copies   all state is copied to NATS, where other nodes find it
 *
 * Each step may be interrupted at any point and is then repeated, by the same command: a journal in the data directory records the step, and a mark in
 * NATS keeps nodes from starting (repartition/journal.ts).
 */
import { randomUUID } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import type { NatsConnection } from '@nats-io/transport-node';
import pino from 'pino';
import { mainTopology } from '../../../actors/topology.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { entriesOfBucket } from '../../../connectors/nats/key-value.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { systemClock } from '../../contract/clock.js';
import { nodesIn } from '../../cluster/entries.js';
import { fatal } from '../../contract/errors.js';
import { claimIdentity } from '../../node/cluster.js';
import { BUCKETS, openCopies, openDeployment } from '../../node/buckets.js';
import { deploymentIn, sharedDeployment, writeDeployment, writeSharedDeployment } from '../../node/deployment.js';
import type { Config } from '../../config/config.js';
import { encodeDeployment, type Layout, layoutOf, mustBeSame, withLayout } from '../../config/deployment.js';
import { commandSupervision, openNats } from '../../node/nats.js';
import { allShards } from '../../node/shards.js';
import { openShardStore } from '../../node/stores.js';
import type { Topology } from '../../contract/graph.js';
import type { KeyValue, Log } from '../../contract/ports.js';
import { mustFitLog } from '../../log-integrity/preflight.js';
import { statesWithoutRescaling } from '../../jobs/repartition.js';
import { REPARTITIONING_STREAM, type StreamLimits } from '../../contract/streams.js';
import type { ReplicaStore } from '../../replication/store.js';
import { threadScheduler } from '../../shards/scheduler.js';
import { nodeOptions, pipelineOptions } from '../node/node-options.js';
import { laidOut } from '../state/deployed-config.js';
import { drain } from './drain.js';
import { dropAllCopies, makeCopies } from './copies.js';
import {
  brokenOff,
  changeText,
  isSame,
  type Journal,
  markOn,
  type Step,
  toBeCompleted,
  workDirectory,
  writeJournal,
  writeMark,
} from './journal.js';
import { type Change, closeToOthers, forgetOutputs, makeStores, swapStores, writeHeads } from './state.js';
import { addMissingStreams, streamsAnew } from './streams.js';

type Options = ReturnType<typeof nodeOptions>;
type Numbers = Omit<Journal, 'step'>;

export interface RepartitionRequest {
  readonly config: Config;
  /** What is not wanted otherwise stays. */
  readonly wanted: Partial<Layout>;
  /** Without it the command only reports what it would do. */
  readonly yes: boolean;
  readonly onProgress: (message: string) => void;
  /** For tests: called at each point where it may be interrupted. */
  readonly at?: (point: string) => void;
}

export interface RepartitionOutcome {
  readonly from: Layout;
  readonly to: Layout;
  readonly done: boolean;
  /** An interrupted one was resumed. */
  readonly resumed: boolean;
  /** Unusable files of an earlier one exist: they are deleted. */
  readonly leftover: boolean;
}

export async function repartitionDeployment(request: RepartitionRequest): Promise<RepartitionOutcome> {
  const { config, onProgress } = request;
  const options = nodeOptions(config);
  if (options.nats === undefined && deploymentIn(options.dataDir) === undefined) throw noDeployment(options.dataDir);
  const identity = await claimIdentity(options.dataDir);
  try {
    const nats = await openNats({
      ...options,
      natsPort: 'any',
      natsAnonymous: false,
      onProgress,
      ...commandSupervision(onProgress),
    });
    try {
      const connection = await connectNats(nats.options, 'rivulet-repartition');
      const log = await openNatsLog(connection);
      try {
        const archive = await StreamArchive.open(connection);
        const shared = await archive.find(`KV_${BUCKETS.deployment}`);
        // A NATS that no node has used stays unchanged.
        if (shared === undefined && deploymentIn(options.dataDir) === undefined) throw noDeployment(options.dataDir);
        // The existing number of replicas, whatever is configured here: the next node that starts sets its own.
        const replicas = shared?.config.num_replicas ?? options.replicas;
        const asDeployed = { ...request, config: { ...config, replicas } };
        return await new Repartition(asDeployed, connection, log, archive).run();
      } finally {
        await log.close();
      }
    } finally {
      await nats.stop();
    }
  } finally {
    await identity.release();
  }
}

class Repartition {
  private readonly logger: pino.Logger;
  /** As they are to be from now on. */
  private options: Options;

  constructor(
    private readonly request: RepartitionRequest,
    private readonly connection: NatsConnection,
    private readonly log: Log,
    private readonly archive: StreamArchive,
  ) {
    this.options = nodeOptions(request.config);
    this.logger = pino({ level: this.options.logLevel }, pino.destination({ dest: 2, sync: true }));
  }

  private get limits(): StreamLimits {
    const { streamBytesMax: bytesMax, replicas } = this.options;
    return { bytesMax, replicas };
  }

  async run(): Promise<RepartitionOutcome> {
    const { config, wanted, yes, onProgress } = this.request;
    const { dataDir } = config;
    const { journal, mark } = await brokenOff(dataDir, this.archive);
    if (journal === undefined && mark !== undefined) throw isElsewhere(mark);
    const table = await openDeployment(this.connection, this.options);
    const [ours, shared] = [deploymentIn(dataDir), await sharedDeployment(table)];
    // From the step `streams` on the two records change one after the other, so they may differ.
    const isBegun = journal !== undefined && journal.step !== 'state';
    if (!isBegun && ours !== undefined && shared !== undefined) mustBeSame(dataDir, ours, { there: shared });
    const found = ours ?? shared;
    if (found === undefined) throw noDeployment(dataDir);
    const from = journal?.from ?? layoutOf(found);
    const to = { ...(journal?.to ?? from), ...wanted };
    const isBack = isSame({ from, to });
    if (journal !== undefined && !isSame({ from: journal.to, to }) && !(isBack && journal.step === 'state')) {
      throw toBeCompleted(journal);
    }
    this.options = nodeOptions(laidOut(config, to));
    mustBeSame(dataDir, withLayout(found, to), { configured: this.options.deployment });
    const before = mainTopology(pipelineOptions(laidOut(config, from)));
    const leftover = journal === undefined && existsSync(workDirectory(dataDir));
    const outcome = { from, to, resumed: journal !== undefined, leftover };
    if (leftover && yes) await this.throwAway(before);
    if (journal === undefined && isBack) return { ...outcome, done: true };
    const nodes = async (): Promise<void> =>
      mustBeAlone(nodesIn((await entriesOfBucket(this.connection, BUCKETS.nodes)) ?? []));
    await nodes();
    if (!yes) return { ...outcome, done: false };
    const numbers = { id: journal?.id ?? randomUUID(), from, to };
    // As it was again: the begun repartition is discarded.
    if (isBack) {
      await this.end(numbers);
      return { ...outcome, done: true };
    }
    const change: Change = { dataDir, before, after: mainTopology(this.options.pipeline) };
    let step = journal?.step ?? 'state';
    if (step === 'state') step = await this.state(change, numbers, nodes);
    if (step === 'streams') step = await this.streams(change, numbers, table);
    if (step === 'swap') await this.swap(change, numbers);
    onProgress('copying the state to NATS');
    await makeCopies(change, await this.copies(), this.logger);
    this.at('copied');
    await this.end(numbers);
    return { ...outcome, done: true };
  }

  /** Deletes the remains of a journal without its mark. Stores that do not fit this NATS may belong to another one, and are kept. */
  private async throwAway(topology: Topology): Promise<void> {
    const { dataDir } = this.request.config;
    for (const shard of allShards(topology)) {
      const store = await openShardStore(dataDir, shard.name, this.logger);
      try {
        await mustFitLog({ topology, shard, log: this.log, store });
      } finally {
        await store.close();
      }
    }
    rmSync(workDirectory(dataDir), { recursive: true });
  }

  private copies(): Promise<ReplicaStore> {
    const { replicas } = this.options;
    return openCopies(this.connection, { replicas, logger: this.logger });
  }

  private async state(change: Change, numbers: Numbers, mustBeStopped: () => Promise<void>): Promise<Step> {
    const { options } = this;
    const { onProgress } = this.request;
    const { before } = change;
    const undeclared = statesWithoutRescaling(before);
    if (undeclared.length > 0)
      throw fatal('RESCALING_MISSING', `these do not declare how to rescale: ${undeclared.join(', ')}`);
    writeJournal(options.dataDir, { ...numbers, step: 'state' });
    this.at('step state');
    try {
      await writeMark(this.archive, { ...numbers, step: 'state' }, options.replicas);
      // From here on no node can start.
      await mustBeStopped();
      this.at('begun');
      onProgress('taking in what is under way');
      await addMissingStreams(before, this.archive, this.log, this.limits);
      const { logger } = this;
      await drain({
        ...{ topology: before, log: this.log, shards: allShards(before), tuning: options.tuning, clock: systemClock },
        copies: await this.copies(),
        openStore: (name) => openShardStore(options.dataDir, name, logger),
        loggerOf: (stage, partition) => logger.child({ stage, partition }),
        scheduler: threadScheduler(),
      });
      this.at('drained');
      onProgress(`redistributing the state, ${changeText(numbers)}`);
      await makeStores(change);
      this.at('made');
    } catch (error) {
      // The nodes can start as before. If this fails as well, the first error is the one to report.
      await this.end(numbers).catch(() => undefined);
      throw error;
    }
    return this.note({ ...numbers, step: 'streams' });
  }

  private async streams(change: Change, numbers: Numbers, table: KeyValue): Promise<Step> {
    const { options } = this;
    const { onProgress } = this.request;
    onProgress('making the streams between stages anew');
    await closeToOthers(change, this.log);
    const limits = { ...this.limits, deployment: encodeDeployment(options.deployment) };
    const beginnings = await streamsAnew(change, this.archive, this.log, limits);
    this.at('streams');
    await writeHeads(change, beginnings);
    await forgetOutputs(change);
    this.at('heads');
    await dropAllCopies(await this.copies());
    await writeSharedDeployment(table, options.deployment);
    this.at('dropped');
    return this.note({ ...numbers, step: 'swap' });
  }

  private async swap(change: Change, numbers: Numbers): Promise<Step> {
    const { dataDir, deployment } = this.options;
    swapStores(change);
    this.at('swapped');
    writeDeployment(dataDir, deployment);
    return this.note({ ...numbers, step: 'copies' });
  }

  /** Records the next step. Fatal REPARTITION_GIVEN_UP when the mark is another's: nodes may have started. */
  private async note(journal: Journal): Promise<Step> {
    const { dataDir, replicas } = this.options;
    if ((await markOn(this.archive))?.id !== journal.id) {
      throw fatal('REPARTITION_GIVEN_UP', 'this repartition was given up meanwhile, by rivulet repair or a restore', {
        hint: 'see rivulet repair',
      });
    }
    await writeMark(this.archive, journal, replicas);
    this.at(`mark ${journal.step}`);
    writeJournal(dataDir, journal);
    this.at(`step ${journal.step}`);
    return journal.step;
  }

  /** The journal is deleted last: while the mark exists, its owner must be known. */
  private async end({ id }: Numbers): Promise<void> {
    if ((await markOn(this.archive))?.id === id) await this.archive.delete(REPARTITIONING_STREAM);
    this.at('unmarked');
    rmSync(workDirectory(this.options.dataDir), { recursive: true, force: true });
  }

  private at(point: string): void {
    this.request.at?.(point);
  }
}

const isElsewhere = (mark: Journal): Error =>
  fatal(
    'REPARTITION_UNFINISHED',
    `a repartition of this NATS ${changeText(mark)} is under way, or was interrupted, on another data directory`,
    { hint: 'run it again there: it goes on where it stopped. Where that data directory is lost, see rivulet repair' },
  );

const noDeployment = (dataDir: string): Error =>
  fatal('DATA_DIR_EMPTY', `no node has run in ${dataDir}`, {
    hint: 'name the data directory of a node with --data-dir, and its NATS with --nats-url if it had one',
  });

function mustBeAlone(live: readonly { readonly id: string; readonly name: string }[]): void {
  if (live.length === 0) return;
  const names = live.map(({ id, name }) => `${id} (${name})`).join(', ');
  throw fatal('REPARTITION_NODES_LIVE', `nodes run on this NATS: ${names}`, {
    hint: 'stop them first; one that was killed is forgotten within seconds',
  });
}
