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

/** C3, and that all that was fed is taken in, answered and copied. */
export function hanging(world: ClusterWorld): string[] {
  const found: string[] = [];
  if (!world.feeding.done) found.push('inputs are not all stored');
  const up = world.nodes.filter(({ process }) => process?.cluster !== undefined && process.leaving === undefined);
  if (up.length < world.nodes.length) found.push(`${world.nodes.length - up.length} nodes are not up`);
  const plan = place(
    world.units.map(({ name }) => name),
    up.map(({ id }) => id).sort(),
  );
  const leases = leasesNow(world);
  for (const unit of world.units) {
    const planned = plan.get(unit.name)?.[0];
    const owners = up.filter(({ process }) => process!.cluster!.units.includes(unit.name));
    const isPlanned = owners.length === 1 && owners[0]!.id === planned;
    if (!isPlanned) found.push(`${unit.name} is owned by ${owners.map(({ id }) => id).join(', ')}, not ${planned}`);
    const lease = leases.get(unit.name);
    if (lease !== planned) found.push(`the lease of ${unit.name} says ${lease}, not ${planned}`);
    if (found.length > 0) continue;
    for (const node of unit.everywhere === true ? up : owners) {
      for (const stage of unit.stages) {
        const status = statusesOf(node).find((one) => one.stage === stage && one.partition === unit.partition);
        const end = endOf(world, stage, unit.partition);
        const isThrough = status?.state === 'running' && status.unacknowledged === 0 && status.sequence >= end;
        if (!isThrough)
          found.push(
            `${stage}.${unit.partition} on ${node.id} is ${status?.state} at ${status?.sequence} of ${end}: ${status?.lastError}`,
          );
        const included = world.included(unit.name, stage);
        if (included < end) found.push(`the copy of ${stage}.${unit.partition} includes ${included} of ${end}`);
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

/** Unit → node, now. */
function leasesNow({ leases }: ClusterWorld): Map<string, string> {
  return new Map([...leasesIn(leases.now())].map(([unit, { node }]) => [unit, node]));
}
