/** What a node needs to be a member of a cluster. */
import type { Membership } from './entries.js';
import type { ShardHost } from '../shards/host.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import type { Clock, KeyValue, Logger } from '../contract/ports.js';

export interface ClusterHost extends ShardHost {
  /** Resolves when trimming is paused, or resumed. */
  hold(paused: boolean): Promise<void>;
}

export interface ClusterOptions {
  /** Of the data directory. */
  readonly node: string;
  /** Of this process. */
  readonly process: string;
  readonly name: string;
  readonly grpc?: () => string | undefined;
  /** Settings that all nodes must have in common, which the others check. */
  readonly settings?: Membership['settings'];
  readonly shards: readonly ShardSpec[];
  readonly nodes: KeyValue;
  readonly leases: KeyValue;
  readonly host: ClusterHost;
  readonly clock: Clock;
  readonly logger: Logger;
  /** After this long without a renewal other nodes take over a node's shards. */
  readonly leaseMs: number;
  /** Nodes beside the owner that are standbys of a shard. */
  readonly standbys: number;
  readonly onFatal: (error: Error) => void;
}
