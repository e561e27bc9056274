/**
 * What nodes that run at the same time must have in common (composition). State moves between them: what one has made under other weights, or with another
 * lease, would be gone on with under these.
 */
import { isDeepStrictEqual } from 'node:util';
import type { NatsConnection } from '@nats-io/transport-node';
import type { PipelineOptions } from '../../actors/topology.js';
import { entriesOfBucket } from '../../connectors/nats/key-value.js';
import { systemClock } from '../contract/clock.js';
import { type NodeEntry, nodesIn } from '../cluster/entries.js';
import { fatal } from '../contract/errors.js';
import { BUCKETS } from './buckets.js';
import type { Logger } from '../contract/ports.js';

export type CommonSettings = Readonly<Record<string, unknown>>;

const LOOK_MS = 200;

/** As they stand in a node's entry. */
export const commonSettings = (pipeline: PipelineOptions, leaseMs: number): CommonSettings =>
  JSON.parse(JSON.stringify({ ...pipeline, leaseSeconds: leaseMs / 1000 })) as CommonSettings;

/** Throws Fatal SETTINGS_DIFFER when another of these nodes, which is not about to leave, runs with other settings. */
export function mustAgree(node: string, ours: CommonSettings, nodes: readonly NodeEntry[]): void {
  const other = nodes.find((one) => isOther(node, ours, one));
  if (other === undefined) return;
  const { key, here, there } = difference(ours, other.settings)!;
  throw fatal('SETTINGS_DIFFER', `node ${other.id} on ${other.name} runs with ${key} ${there}, this one with ${here}`, {
    hint: 'give all nodes the same settings; to change them, stop all nodes, and start them with the new ones',
  });
}

/** The same of the nodes that are there now, before anything of theirs is touched. One that has died stands among them until its entry ends. */
export async function agreed(
  connection: NatsConnection,
  node: string,
  ours: CommonSettings,
  logger: Logger,
): Promise<void> {
  const seen = new Map<string, number>();
  for (;;) {
    const entries = (await entriesOfBucket(connection, BUCKETS.nodes)) ?? [];
    const others = nodesIn(entries).filter((one) => isOther(node, ours, one));
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

const isOther = (node: string, ours: CommonSettings, { id, draining, settings }: NodeEntry): boolean =>
  id !== node && !draining && settings !== undefined && !isDeepStrictEqual(settings, ours);

/** The first value that differs, by its path. */
function difference(
  a: unknown,
  b: unknown,
  path: readonly string[] = [],
): Record<'key' | 'here' | 'there', string> | undefined {
  if (isDeepStrictEqual(a, b)) return undefined;
  const [here, there] = [a, b].map((value) => JSON.stringify(value) ?? 'none') as [string, string];
  const isGroup = (value: unknown): value is object => typeof value === 'object' && value !== null;
  if (!isGroup(a) || !isGroup(b)) return { key: path.join('.'), here, there };
  const inside = (group: object, name: string): unknown => (group as Record<string, unknown>)[name];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])]
    .map((name) => difference(inside(a, name), inside(b, name), [...path, name]))
    .find((found) => found !== undefined);
}
