/**
 * Which node a shard should be on: rendezvous hashing with bounded loads.
 *
 *   PLACEMENT-1  A pure function of the shards and the nodes: nodes that see the same members compute the same placement, without communication.
 *   PLACEMENT-2  No node gets more than ⌈shards / nodes⌉ of one kind (source, user, item, view), so that two nodes share four partitions two and two.
 *   PLACEMENT-3  A node that comes or goes moves few shards beyond its own.
 */
import { fnv1a, utf8 } from '../frames/bytes.js';

/** The kind of a shard, by its name `<kind>-<partition>`. */
export const kindOf = (shard: string): string => shard.slice(0, shard.lastIndexOf('-'));

/** Shard → all nodes, best first: the owner, then the standbys. No nodes: empty lists. */
export function place(shards: readonly string[], nodes: readonly string[]): Map<string, readonly string[]> {
  const placed = new Map<string, readonly string[]>();
  const loads = new Map<string, number>();
  const countOf = new Map<string, number>();
  for (const shard of shards) countOf.set(kindOf(shard), (countOf.get(kindOf(shard)) ?? 0) + 1);
  for (const shard of [...shards].sort(byText)) {
    const kind = kindOf(shard);
    const most = Math.ceil(countOf.get(kind)! / nodes.length);
    const ranked = ranking(shard, nodes);
    const owner = ranked.find((node) => (loads.get(`${kind} ${node}`) ?? 0) < most);
    if (owner === undefined) {
      placed.set(shard, []);
      continue;
    }
    loads.set(`${kind} ${owner}`, (loads.get(`${kind} ${owner}`) ?? 0) + 1);
    placed.set(shard, [owner, ...ranked.filter((node) => node !== owner)]);
  }
  return placed;
}

/** Nodes by the hash of shard and node, highest first. */
function ranking(shard: string, nodes: readonly string[]): string[] {
  return nodes
    .map((node) => ({ node, weight: mixed(fnv1a(utf8(`${shard}\0${node}`))) }))
    .sort((a, b) => b.weight - a.weight || byText(a.node, b.node))
    .map(({ node }) => node);
}

/** FNV alone spreads texts that differ in their last bytes poorly over the high bits. */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
