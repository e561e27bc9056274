/**
 * The problems of each store of a data directory, and their repair.
 *
 *   nothing   it is sound and fits the log; or it is behind the log, or missing, and the node recovers by itself from a copy that fits, or from
 *             complete mailboxes
 *   copies    set aside; the node takes the copy in NATS and replays the rest
 *   skip      messages of publishers were lost: the loss is recorded, and the node continues after them
 *   replay    set aside, and a copy that does not fit is deleted; the node reads its mailboxes from their beginning: they are complete
 *   identity  set aside: the node gets a new id
 *   deployment  deployment.json is written again from the record in NATS
 *   lost      no repair: restore a backup, or use --start-anew
 */
import { existsSync, renameSync } from 'node:fs';
import { examineStore, type StoreReport } from '../../../state/examine-store.js';
import { fatal } from '../../contract/errors.js';
import type { Topology } from '../../contract/graph.js';
import type { ShardSpec } from '../../shards/shard-spec.js';
import { SNAPSHOT_FORMAT } from '../../state/keyspace.js';
import { allShards } from '../../node/shards.js';
import type { ReplicaStore } from '../../replication/store.js';
import type { Log } from '../../contract/ports.js';
import { type Span, spansOf } from '../../log-integrity/spans.js';
import { judgeLog, overwritten } from './log-fit.js';
import { type Verdict, verdictText } from '../../log-integrity/verdict.js';
import { NODE_STORE, SET_ASIDE, storeDirectory } from '../state/stores.js';
import { copyFit, type StoredCopy, storedCopy } from '../backup/stored-copies.js';

export type Remedy = 'nothing' | 'copies' | 'skip' | 'replay' | 'identity' | 'deployment' | 'lost';

/** The part of a mailbox that is lost permanently, if the node is to continue. */
export interface Gone {
  readonly stage: string;
  readonly partition: number;
  readonly missing: readonly Span[];
}

export interface StorePlan {
  readonly store: string;
  readonly problems: readonly string[];
  readonly remedy: Remedy;
  /** For a lost store: why the log cannot replace it. */
  readonly because: readonly string[];
  readonly gone: readonly Gone[];
  /** Messages of publishers that the state includes and the log has lost: the state that replaces it does not include them. */
  readonly uncounted: readonly Gone[];
}

const SOUND = { problems: [], remedy: 'nothing', because: [], gone: [], uncounted: [] } as const;

/** `copies`: the stored copies in NATS. */
export async function planRepair(
  dataDir: string,
  topology: Topology,
  log: Log,
  copies?: ReplicaStore,
): Promise<StorePlan[]> {
  const plans: StorePlan[] = [await planOfNode(dataDir)];
  for (const shard of allShards(topology)) plans.push(await planOf(dataDir, topology, log, copies, shard));
  return plans;
}

/** The store of the node's id. */
async function planOfNode(dataDir: string): Promise<StorePlan> {
  const directory = storeDirectory(dataDir, NODE_STORE);
  const { problems } = existsSync(directory) ? await examineStore(directory) : SOUND;
  if (problems.length === 0) return { ...SOUND, store: NODE_STORE };
  return { ...SOUND, store: NODE_STORE, problems: problems.map(damagedBy), remedy: 'identity' };
}

const damagedBy = (problem: string): string => `damaged: ${problem}`;

async function planOf(
  dataDir: string,
  topology: Topology,
  log: Log,
  copies: ReplicaStore | undefined,
  shard: ShardSpec,
): Promise<StorePlan> {
  const directory = storeDirectory(dataDir, shard.name);
  const report = existsSync(directory) ? await examineStore(directory) : NO_STORE;
  if (report.format !== undefined && report.format > SNAPSHOT_FORMAT) {
    throw fatal('SNAPSHOT_FORMAT', `${directory} has format ${report.format}, this build reads ${SNAPSHOT_FORMAT}`, {
      hint: 'nothing is wrong with it: run the version that wrote it, or a newer one',
    });
  }
  const copy = (): Promise<StoredCopy> =>
    copies === undefined ? Promise.resolve({ kind: 'none' }) : storedCopy(copies, shard);
  return planOfShard(topology, log, shard, report, copy);
}

const NO_STORE: StoreReport = { problems: [], format: undefined, instances: [] };

/** From its store and its copy, which is read only if needed. */
export async function planOfShard(
  topology: Topology,
  log: Log,
  shard: ShardSpec,
  report: Pick<StoreReport, 'problems' | 'instances'>,
  copyOf: () => Promise<StoredCopy>,
): Promise<StorePlan> {
  const store = shard.name;
  const problems = report.problems.map(damagedBy);
  const gone = new GoneOf(shard);
  /** The stages that are behind the log, each with its included sequence; undefined when there is another problem. */
  let behind: Map<string, number> | undefined = problems.length === 0 ? new Map() : undefined;
  let isOnlyHoles = problems.length === 0;
  const uncounted: Gone[] = [];
  let isOtherLog = false;
  for (const stage of problems.length > 0 ? [] : shard.stages) {
    const head = report.instances.find((one) => one.stage === stage && one.partition === shard.partition)?.head;
    const { partition } = shard;
    const instance = { log, topology, stage, partition, head };
    const verdict = await judgeLog(instance);
    if (verdict.fits) continue;
    problems.push(`${head === undefined ? `there is no state of ${stage}.${partition}; ` : ''}${verdictText(verdict)}`);
    isOtherLog ||= verdict.kind === 'other-stream' || verdict.kind === 'other-partitions';
    isOnlyHoles &&= gone.note(stage, verdict);
    if (verdict.code === 'LOG_GAP') behind?.set(stage, head?.sequence ?? 0);
    else {
      behind = undefined;
      const lost = isOtherLog ? undefined : await overwritten(instance);
      if (lost !== undefined) uncounted.push({ stage, partition, missing: [lost] });
    }
  }
  const isEmpty = report.problems.length === 0 && report.instances.length === 0;
  if (problems.length === 0 && !isEmpty) return { ...SOUND, store };
  const stored = await copyOf();
  const copy = await copyFit(stored, log, topology, shard);
  if (copy.kind === 'fits' && copy.holes.size === 0) {
    // A node fetches by itself what only the copy has.
    const isFurther = ([stage, sequence]: [string, number]): boolean =>
      stored.kind === 'heads' && (stored.heads.get(stage)?.sequence ?? 0) > sequence;
    const mendsItself = behind !== undefined && [...behind].every(isFurther);
    return mendsItself ? { ...SOUND, store } : { ...SOUND, store, problems, remedy: 'copies', uncounted };
  }
  if (isOnlyHoles && copy.kind !== 'unfit') {
    return problems.length === 0 ? { ...SOUND, store } : { ...SOUND, store, problems, remedy: 'skip', gone: gone.all };
  }
  if (copy.kind === 'fits') {
    for (const [stage, verdict] of copy.holes) {
      gone.note(stage, verdict);
      problems.push(`the copy of ${stage}.${shard.partition} that NATS holds: ${verdictText(verdict)}`);
    }
    return { ...SOUND, store, problems, remedy: 'copies', gone: gone.all, uncounted };
  }
  // A node would use it, and then not fit the log.
  if (copy.kind === 'unfit') problems.push(...copy.problems);
  if (problems.length === 0) return { ...SOUND, store };
  const because = isOtherLog
    ? ['the log that it was made from is not there']
    : await whyNotReplayed(topology, log, shard, gone);
  return { store, problems, remedy: because.length === 0 ? 'replay' : 'lost', because, gone: gone.all, uncounted };
}

/** The losses in the mailboxes of a shard. */
class GoneOf {
  private readonly spans = new Map<string, Span[]>();

  constructor(private readonly shard: ShardSpec) {}

  /** Are holes the only problem? */
  note(stage: string, verdict: Verdict): boolean {
    if (verdict.fits) return true;
    if (verdict.missing === undefined) return false;
    this.spans.set(stage, spansOf([...(this.spans.get(stage) ?? []), ...verdict.missing]));
    return true;
  }

  get all(): Gone[] {
    return [...this.spans].map(([stage, missing]) => ({ stage, partition: this.shard.partition, missing }));
  }
}

async function whyNotReplayed(topology: Topology, log: Log, shard: ShardSpec, gone: GoneOf): Promise<string[]> {
  const because: string[] = [];
  const { stages, partition } = shard;
  for (const stage of stages) {
    const verdict = await judgeLog({ log, topology, stage, partition, head: undefined });
    const isComplete = gone.note(stage, verdict);
    if (!verdict.fits && !isComplete) because.push(verdictText(verdict));
  }
  return because;
}

/** Renames an existing store; returns its new name. */
export const setAside = (dataDir: string, store: string, now: Date): string | undefined =>
  setDirectoryAside(storeDirectory(dataDir, store), now);

export function setDirectoryAside(directory: string, now: Date): string | undefined {
  if (!existsSync(directory)) return undefined;
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  let kept = `${directory}${SET_ASIDE}${time}`;
  for (let n = 2; existsSync(kept); n++) kept = `${directory}${SET_ASIDE}${time}-${n}`;
  renameSync(directory, kept);
  return kept;
}
