/** Settings that nodes running at the same time must share, beside those fixed for the deployment (composition). */
import type { NatsConnection } from '@nats-io/transport-node';
import { entriesOfBucket } from '../../connectors/nats/key-value.js';
import { type NodeEntry, nodesIn } from '../cluster/entries.js';
import { differenceOf, type Settings } from '../config/deployment.js';
import { systemClock } from '../contract/clock.js';
import { fatal } from '../contract/errors.js';
import type { Logger } from '../contract/ports.js';
import { BUCKETS } from './buckets.js';

const LOOK_MS = 200;

/** Throws Fatal SETTINGS_DIFFER when another of these nodes, which is not draining, runs with other settings. */
export function mustAgree(node: string, ours: Settings, nodes: readonly NodeEntry[]): void {
  for (const other of nodes) {
    const found = differenceWith(node, ours, other);
    if (found === undefined) continue;
    const [here, there] = found.values;
    const runs = `node ${other.id} on ${other.name} runs with ${found.key} ${there}, this one with ${here}`;
    throw fatal('SETTINGS_DIFFER', runs, {
      hint: 'give all nodes the same settings; to change them, stop all nodes, and start them with the new ones',
    });
  }
}

/** The same for the current nodes, before this one writes anything that they use. A dead node counts until its entry expires. */
export async function agreed(connection: NatsConnection, node: string, ours: Settings, logger: Logger): Promise<void> {
  const seen = new Map<string, number>();
  for (;;) {
    const entries = (await entriesOfBucket(connection, BUCKETS.nodes)) ?? [];
    const others = nodesIn(entries).filter((one) => differenceWith(node, ours, one) !== undefined);
    if (others.length === 0) return;
    const renewed = entries.filter(({ key, storedAtMs }) => seen.has(key) && seen.get(key) !== storedAtMs);
    mustAgree(node, ours, nodesIn(renewed));
    for (const { key, storedAtMs } of entries) seen.set(key, storedAtMs);
    logger.debug(
      { nodes: others.map(({ id }) => id) },
      'nodes with other settings were here; waiting whether they live',
    );
    await systemClock.sleep(LOOK_MS);
  }
}

const differenceWith = (node: string, ours: Settings, { id, draining, settings }: NodeEntry) =>
  id === node || draining || settings === undefined ? undefined : differenceOf(ours, settings);
