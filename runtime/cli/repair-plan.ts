/**
 * What is wrong with each store of a data directory, and how it can be made good.
 *
 *   nothing   it is sound and fits the log; or it is behind the log, or not there, and the node finds by itself what it needs: a copy that fits, or
 *             mailboxes that are whole
 *   copies    set aside; the node takes the copy that NATS holds and replays the rest
 *   replay    set aside, and a copy that does not fit is dropped; the node reads its mailboxes from their beginning: they are whole
 *   lost      neither: a backup, or --start-anew
 */
import { existsSync, renameSync } from 'node:fs';
import { examineStore, type StoreReport } from '../../state/examine-store.js';
import { fatal } from '../errors.js';
import type { Topology } from '../graph.js';
import type { Unit } from '../host.js';
import { SNAPSHOT_FORMAT } from '../keyspace.js';
import { allUnits } from '../main-units.js';
import type { Copies } from '../copies.js';
import type { Log } from '../ports.js';
import { logFit, saidBeyondLog } from './log-fit.js';
import { SET_ASIDE, storeDirectory } from './state-stores.js';
import { copyFit, type CopyFit } from './stored-copies.js';

export type Remedy = 'nothing' | 'copies' | 'replay' | 'lost';

export interface StorePlan {
  readonly store: string;
  readonly problems: readonly string[];
  readonly remedy: Remedy;
  /** Of one that is lost: why the log does not make it good. */
  readonly because: readonly string[];
}

/** `copies`: what NATS holds of them. */
export async function planRepair(dataDir: string, topology: Topology, log: Log, copies?: Copies): Promise<StorePlan[]> {
  const plans: StorePlan[] = [];
  for (const unit of allUnits(topology)) plans.push(await planOf(dataDir, topology, log, copies, unit));
  return plans;
}

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
  const problems = report.problems.map((problem) => `damaged: ${problem}`);
  // With a copy that is further the node mends a gap by itself.
  let isOnlyBehind = problems.length === 0;
  let otherStream = false;
  for (const stage of problems.length > 0 ? [] : unit.stages) {
    const head = report.instances.find((one) => one.stage === stage && one.partition === unit.partition)?.head;
    const fit = await logFit(log, topology, { stage, partition: unit.partition, head });
    if (fit.kind === 'fits') continue;
    const snapshot =
      head === undefined ? `there is no state of ${stage}.${unit.partition}` : `${stage}.${unit.partition}`;
    problems.push(`${snapshot}: ${fit.says}`);
    otherStream ||= fit.kind === 'other-stream';
    isOnlyBehind &&= fit.kind === 'gap';
  }
  const store = unit.name;
  const isEmpty = report.problems.length === 0 && report.instances.length === 0;
  if (problems.length === 0 && !isEmpty) return { store, problems, remedy: 'nothing', because: [] };
  const copy: CopyFit = copies === undefined ? { kind: 'none' } : await copyFit(copies, log, topology, unit);
  if (copy.kind === 'fits') {
    return isOnlyBehind
      ? { store, problems: [], remedy: 'nothing', because: [] }
      : { store, problems, remedy: 'copies', because: [] };
  }
  // A node would take it, and then not fit the log.
  if (copy.kind === 'unfit') problems.push(...copy.says);
  if (problems.length === 0) return { store, problems, remedy: 'nothing', because: [] };
  const because = otherStream
    ? ['the log that it was made from is not there']
    : await whyNotReplayed(topology, log, unit);
  return { store, problems, remedy: because.length === 0 ? 'replay' : 'lost', because };
}

async function whyNotReplayed(topology: Topology, log: Log, { stages, partition }: Unit): Promise<string[]> {
  const because: string[] = [];
  for (const stage of stages) {
    const fit = await logFit(log, topology, { stage, partition, head: undefined });
    const beyond = fit.kind === 'fits' ? await saidBeyondLog(log, topology, stage, partition) : fit.says;
    if (beyond !== undefined) because.push(beyond);
  }
  return because;
}

/** Renames what stands there; tells under which name it is kept. */
export function setAside(dataDir: string, store: string, now: Date): string | undefined {
  const directory = storeDirectory(dataDir, store);
  if (!existsSync(directory)) return undefined;
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  let kept = `${directory}${SET_ASIDE}${time}`;
  for (let n = 2; existsSync(kept); n++) kept = `${directory}${SET_ASIDE}${time}-${n}`;
  renameSync(directory, kept);
  return kept;
}
