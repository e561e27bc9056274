/** Is all at rest, and as it should be? What is not, in words. */
import { leasesIn } from '../../runtime/cluster/entries.js';
import { streamOf } from '../../runtime/contract/graph.js';
import { place } from '../../runtime/cluster/placement.js';
import type { ActorStatus } from '../../runtime/telemetry/status.js';
import { filtersOf } from '../../runtime/contract/streams.js';
import { matches } from '../support/memory-log.js';
import type { ClusterNode } from './cluster-node.js';
import type { ClusterWorld } from './cluster-world.js';

export const statusesOf = ({ process }: ClusterNode): readonly ActorStatus[] => process?.host.statuses ?? [];

/** CLUSTER-WORLD-3, and that all that was fed is taken in, answered and copied. */
export function hanging(world: ClusterWorld): string[] {
  const found: string[] = [];
  if (!world.feeding.done) found.push('inputs are not all stored');
  const up = world.nodes.filter(({ process }) => process?.cluster !== undefined && process.leaving === undefined);
  if (up.length < world.nodes.length) found.push(`${world.nodes.length - up.length} nodes are not up`);
  const plan = place(
    world.shards.map(({ name }) => name),
    up.map(({ id }) => id).sort(),
  );
  const leases = leasesNow(world);
  for (const shard of world.shards) {
    const planned = plan.get(shard.name)?.[0];
    const owners = up.filter(({ process }) => process!.cluster!.shards.includes(shard.name));
    const isPlanned = owners.length === 1 && owners[0]!.id === planned;
    if (!isPlanned) found.push(`${shard.name} is owned by ${owners.map(({ id }) => id).join(', ')}, not ${planned}`);
    const lease = leases.get(shard.name);
    if (lease !== planned) found.push(`the lease of ${shard.name} says ${lease}, not ${planned}`);
    if (found.length > 0) continue;
    for (const node of shard.everywhere === true ? up : owners) {
      for (const stage of shard.stages) {
        const status = statusesOf(node).find((one) => one.stage === stage && one.partition === shard.partition);
        const end = endOf(world, stage, shard.partition);
        const isThrough = status?.state === 'running' && status.unacknowledged === 0 && status.sequence >= end;
        if (!isThrough)
          found.push(
            `${stage}.${shard.partition} on ${node.id} is ${status?.state} at ${status?.sequence} of ${end}: ${status?.lastError}`,
          );
        const included = world.included(shard.name, stage);
        if (included < end) found.push(`the copy of ${stage}.${shard.partition} includes ${included} of ${end}`);
      }
    }
  }
  return found;
}

function endOf({ job, server }: ClusterWorld, stage: string, partition: number): number {
  const filters = filtersOf(job.topology, stage, partition);
  const last = server
    .history(streamOf(stage))
    .findLast(({ message }) => filters.some((one) => matches(one, message.subject)));
  return last?.message.sequence ?? 0;
}

/** Shard → node, now. */
function leasesNow({ leases }: ClusterWorld): Map<string, string | undefined> {
  return new Map([...leasesIn(leases.now())].map(([shard, { node }]) => [shard, node]));
}
