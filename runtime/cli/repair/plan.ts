/**
 * What is wrong with each store of a data directory, and how it can be made good.
 *
 *   nothing   it is sound and fits the log; or it is behind the log, or not there, and the node finds by itself what it needs: a copy that fits, or
 *             mailboxes that are whole
 *   copies    set aside; the node takes the copy that NATS holds and replays the rest
 *   skip      messages of publishers were lost: it is recorded that they are, and the node goes on behind them
 *   replay    set aside, and a copy that does not fit is dropped; the node reads its mailboxes from their beginning: they are whole
 *   identity  set aside: the node gets another one
 *   deployment  deployment.json, which is written as NATS has it
 *   lost      neither: a backup, or --start-anew
 */
import { existsSync, renameSync } from 'node:fs';
import { examineStore, type StoreReport } from '../../../state/examine-store.js';
import { fatal } from '../../contract/errors.js';
import type { Topology } from '../../contract/graph.js';
import type { Unit } from '../../shards/host.js';
import { SNAPSHOT_FORMAT } from '../../state/keyspace.js';
import { allUnits } from '../../node/shards.js';
import type { Copies } from '../../replication/store.js';
import type { Log } from '../../contract/ports.js';
import { type Span, spansOf } from '../../log-integrity/gaps.js';
import { type LogFit, logFit } from './log-fit.js';
import { NODE_STORE, SET_ASIDE, storeDirectory } from '../state/stores.js';
import { copyFit, type CopyFit } from '../backup/stored-copies.js';

export type Remedy = 'nothing' | 'copies' | 'skip' | 'replay' | 'identity' | 'deployment' | 'lost';

/** What of a mailbox is lost for good, if the node is to go on. */
export interface Gone {
  readonly stage: string;
  readonly partition: number;
  readonly missing: readonly Span[];
}

export interface StorePlan {
  readonly store: string;
  readonly problems: readonly string[];
  readonly remedy: Remedy;
  /** Of one that is lost: why the log does not make it good. */
  readonly because: readonly string[];
  readonly gone: readonly Gone[];
}

const SOUND = { problems: [], remedy: 'nothing', because: [], gone: [] } as const;

/** `copies`: what NATS holds of them. */
export async function planRepair(dataDir: string, topology: Topology, log: Log, copies?: Copies): Promise<StorePlan[]> {
  const plans: StorePlan[] = [await planOfNode(dataDir)];
  for (const unit of allUnits(topology)) plans.push(await planOf(dataDir, topology, log, copies, unit));
  return plans;
}

/** Which node it is, and nothing else. */
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
  copies: Copies | undefined,
  unit: Unit,
): Promise<StorePlan> {
  const directory = storeDirectory(dataDir, unit.name);
  const report: StoreReport = existsSync(directory)
    ? await examineStore(directory)
    : { problems: [], format: undefined, instances: [] };
  if (report.format !== undefined && report.format > SNAPSHOT_FORMAT) {
    throw fatal('SNAPSHOT_FORMAT', `${directory} has format ${report.format}, this build reads ${SNAPSHOT_FORMAT}`, {
      hint: 'nothing is wrong with it: run the version that wrote it, or a newer one',
    });
  }
  const store = unit.name;
  const problems = report.problems.map(damagedBy);
  const gone = new GoneOf(unit);
  // With a copy that is further the node mends a gap by itself.
  let isOnlyBehind = problems.length === 0;
  let isOnlyHoles = isOnlyBehind;
  let otherStream = false;
  for (const stage of problems.length > 0 ? [] : unit.stages) {
    const head = report.instances.find((one) => one.stage === stage && one.partition === unit.partition)?.head;
    const fit = await logFit(log, topology, { stage, partition: unit.partition, head });
    if (fit.kind === 'fits') continue;
    const snapshot =
      head === undefined ? `there is no state of ${stage}.${unit.partition}` : `${stage}.${unit.partition}`;
    problems.push(`${snapshot}: ${fit.says}`);
    otherStream ||= fit.kind === 'other-stream';
    isOnlyHoles &&= gone.note(stage, fit);
    isOnlyBehind &&= fit.kind === 'gap' || fit.kind === 'holes';
  }
  const isEmpty = report.problems.length === 0 && report.instances.length === 0;
  if (problems.length === 0 && !isEmpty) return { ...SOUND, store };
  const copy: CopyFit = copies === undefined ? { kind: 'none' } : await copyFit(copies, log, topology, unit);
  if (copy.kind === 'fits' && copy.holes.size === 0) {
    return isOnlyBehind ? { ...SOUND, store } : { ...SOUND, store, problems, remedy: 'copies' };
  }
  if (isOnlyHoles && copy.kind !== 'unfit') {
    return problems.length === 0 ? { ...SOUND, store } : { ...SOUND, store, problems, remedy: 'skip', gone: gone.all };
  }
  if (copy.kind === 'fits') {
    for (const [stage, fit] of copy.holes) {
      gone.note(stage, fit);
      problems.push(`the copy of ${stage}.${unit.partition} that NATS holds: ${fit.says}`);
    }
    return { ...SOUND, store, problems, remedy: 'copies', gone: gone.all };
  }
  // A node would take it, and then not fit the log.
  if (copy.kind === 'unfit') problems.push(...copy.says);
  if (problems.length === 0) return { ...SOUND, store };
  const because = otherStream
    ? ['the log that it was made from is not there']
    : await whyNotReplayed(topology, log, unit, gone);
  return { store, problems, remedy: because.length === 0 ? 'replay' : 'lost', because, gone: gone.all };
}

/** What is lost, of the mailboxes of a unit. */
class GoneOf {
  private readonly spans = new Map<string, Span[]>();

  constructor(private readonly unit: Unit) {}

  /** Are holes all that is wrong? */
  note(stage: string, fit: LogFit): boolean {
    if (fit.kind !== 'holes') return fit.kind === 'fits';
    this.spans.set(stage, spansOf([...(this.spans.get(stage) ?? []), ...fit.missing]));
    return true;
  }

  get all(): Gone[] {
    return [...this.spans].map(([stage, missing]) => ({ stage, partition: this.unit.partition, missing }));
  }
}

async function whyNotReplayed(topology: Topology, log: Log, unit: Unit, gone: GoneOf): Promise<string[]> {
  const because: string[] = [];
  const { stages, partition } = unit;
  for (const stage of stages) {
    const fit = await logFit(log, topology, { stage, partition, head: undefined });
    gone.note(stage, fit);
    if (fit.kind !== 'fits' && fit.kind !== 'holes') because.push(fit.says);
  }
  return because;
}

/** Renames what stands there; tells under which name it is kept. */
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
