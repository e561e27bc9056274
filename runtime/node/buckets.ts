/** Where copies, leases and the record of the deployment are kept in NATS (composition). */
import type { NatsConnection } from '@nats-io/transport-node';
import { openKeyValue } from '../../connectors/nats/key-value.js';
import { dropAbandoned, openObjects } from '../../connectors/nats/objects/objects.js';
import { LEASES, NODES } from '../cluster/entries.js';
import { type ReplicaStore, MANIFESTS } from '../replication/store.js';
import { asError } from '../contract/errors.js';
import type { Clock, KeyValue, Logger } from '../contract/ports.js';

/** Names of the buckets; a backup takes them by these. */
export const BUCKETS = {
  manifests: MANIFESTS,
  objects: 'RIVULET_STATE',
  nodes: NODES,
  leases: LEASES,
  deployment: 'RIVULET_DEPLOYMENT',
} as const;

export async function openCopies(
  connection: NatsConnection,
  { replicas }: { readonly replicas: number },
): Promise<ReplicaStore> {
  const [manifests, objects] = await Promise.all([
    openKeyValue(connection, { bucket: BUCKETS.manifests, replicas }),
    openObjects(connection, { bucket: BUCKETS.objects, replicas }),
  ]);
  return { manifests, objects };
}

/** A start has no time for it: what it reads grows with how often a node was killed. */
const SWEEP_AFTER_MS = 15_000;

/** Drops, once and soon, what killed nodes have left of copies that were never whole. Ends early when the signal is aborted; never rejects. */
export async function sweepCopies(
  connection: NatsConnection,
  { clock, logger, signal }: { readonly clock: Clock; readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  await clock.sleep(SWEEP_AFTER_MS, signal);
  if (signal.aborted) return;
  await dropAbandoned(connection, BUCKETS.objects).catch((error: unknown) => {
    // What is left takes room until the next start, and is never read.
    logger.warn({ err: asError(error) }, 'cannot drop what is left of broken off copies');
  });
}

export interface ClusterTables {
  readonly nodes: KeyValue;
  readonly leases: KeyValue;
}

/** What all nodes, of now and later, have in common. */
export const openDeployment = (
  connection: NatsConnection,
  { replicas }: { readonly replicas: number },
): Promise<KeyValue> => openKeyValue(connection, { bucket: BUCKETS.deployment, replicas });

/** Entries of nodes and leases end by themselves after `leaseMs`. */
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
