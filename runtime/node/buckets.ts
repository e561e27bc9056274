/** The NATS buckets for copies, leases and the record of the deployment (composition). */
import type { NatsConnection } from '@nats-io/transport-node';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import { dropAbandoned, openObjects } from '../../connectors/nats/objects/objects.js';
import { LEASES, NODES } from '../cluster/entries.js';
import { type ReplicaStore, MANIFESTS } from '../replication/store.js';
import { asError } from '../contract/errors.js';
import type { Clock, KeyValue, Logger } from '../contract/ports.js';

/** Names of the buckets; backups use them. */
export const BUCKETS = {
  manifests: MANIFESTS,
  objects: 'RIVULET_STATE',
  nodes: NODES,
  leases: LEASES,
  deployment: 'RIVULET_DEPLOYMENT',
  files: 'RIVULET_FILES',
} as const;

export async function openCopies(
  connection: NatsConnection,
  { replicas, logger }: { readonly replicas: number; readonly logger: Logger },
): Promise<ReplicaStore> {
  const [manifests, objects] = await Promise.all([
    openKeyValue(connection, { bucket: BUCKETS.manifests, replicas }),
    openObjects(connection, { bucket: BUCKETS.objects, replicas, logger }),
  ]);
  return { manifests, objects };
}

/** Not during the start: the duration grows with the number of times that nodes were killed. */
const SWEEP_AFTER_MS = 15_000;

/** Deletes, once and soon after the start, the parts of incomplete copies of killed nodes. Ends early when the signal is aborted; never rejects. */
export async function sweepCopies(
  connection: NatsConnection,
  { clock, logger, signal }: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  await clock.sleep(SWEEP_AFTER_MS, signal);
  if (signal.aborted) return;
  await dropAbandoned(connection, BUCKETS.objects, logger).catch((error: unknown) => {
    // The remains occupy space until the next start, and are never read.
    logger.warn({ err: asError(error) }, 'cannot remove unfinished copies');
  });
}

export interface ClusterTables {
  readonly nodes: KeyValue;
  readonly leases: KeyValue;
}

/** The record that all nodes of the deployment share. */
export const openDeployment = (
  connection: NatsConnection,
  { replicas }: { readonly replicas: number },
): Promise<KeyValue> => openKeyValue(connection, { bucket: BUCKETS.deployment, replicas });

/** Which files of a folder were read (jobs/file-records.ts). */
export const openFileRecords = (
  connection: NatsConnection,
  { replicas }: { readonly replicas: number },
): Promise<KeyValue> => openKeyValue(connection, { bucket: BUCKETS.files, replicas });

/** Entries of nodes and leases expire after `leaseMs`. */
export async function openClusterTables(
  connection: NatsConnection,
  { replicas, leaseMs }: { readonly replicas: number; readonly leaseMs: number },
): Promise<ClusterTables> {
  const [nodes, leases] = await Promise.all([
    openKeyValue(connection, { bucket: BUCKETS.nodes, replicas, ttlMs: leaseMs }),
    openKeyValue(connection, { bucket: BUCKETS.leases, replicas, ttlMs: leaseMs }),
  ]);
  return { nodes, leases };
}
