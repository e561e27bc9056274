/** What runs in a simulated world: nodes, their shards with a disk each, and the incarnations of instances on them. */
import { fromBinary } from '@bufbuild/protobuf';
import { SnapshotHeadSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import type { ShardSpec } from '../../runtime/shards/shard-spec.js';
import { headKey } from '../../runtime/state/keyspace.js';
import type { Clock } from '../../runtime/contract/ports.js';
import type { ActorStatus } from '../../runtime/telemetry/status.js';
import type { SupervisedInstance } from '../../runtime/shards/supervised-instance.js';
import type { Ticker } from '../../runtime/shards/ticker.js';
import type { FailingStore } from '../../state/failing-store.js';
import { type MemoryStore, type StoreContents } from '../../state/memory-store.js';
import type { FailingLog } from '../support/failing-log.js';
import type { Party, Schedule } from './schedule.js';

/** A machine, or a process: shards, and a wall clock of its own. */
export interface SimulatedNode {
  readonly name: string;
  offsetMs: number;
}

/** One incarnation of an instance. */
export interface Life extends Party {
  readonly name: string;
  readonly stage: string;
  readonly status: ActorStatus;
  readonly supervisor: SupervisedInstance;
  readonly ticker: Ticker | undefined;
  readonly log: FailingLog;
  readonly store: FailingStore;
  gone: boolean;
  failure: Error | undefined;
}

/** A shard on a node, with its disk. When it is taken over, the former owner may live on beside it, on a disk of its own. */
export class SimulatedShard {
  readonly lives = new Map<string, Life>();

  constructor(
    readonly shard: ShardSpec,
    readonly node: SimulatedNode,
    readonly disk: MemoryStore,
    /** Owners of the same shard, one after the other. */
    readonly generation: number,
  ) {}

  get name(): string {
    return `${this.shard.name}#${this.generation}`;
  }

  /** All its instances die; what is under way may or may not arrive. */
  cut(arrives: () => boolean): void {
    for (const life of this.lives.values()) cutLife(life, arrives);
  }

  sleepUntil(step: number): void {
    for (const life of this.lives.values()) life.asleepUntilStep = step;
  }
}

export function cutLife(life: Life, arrives: () => boolean): void {
  life.gone = true;
  life.ticker?.stop();
  life.log.cut(arrives);
  life.store.cut();
}

/** Time stands still for what is gone. */
export const clockOf = (schedule: Schedule, node: SimulatedNode, life: { readonly gone: boolean }): Clock => ({
  nowMs: () => schedule.clock.nowMs() + node.offsetMs,
  monotonicMs: () => schedule.clock.monotonicMs(),
  sleep: (ms, signal) =>
    life.gone && signal?.aborted !== true ? new Promise(() => undefined) : schedule.clock.sleep(ms, signal),
});

/** The sequence that a snapshot includes; 0 where there is none. */
export function sequenceIn(contents: StoreContents, stage: string, partition: number): number {
  const head = contents.get(headKey(stage, partition));
  return head === undefined ? 0 : fromBinary(SnapshotHeadSchema, head).sequence;
}
