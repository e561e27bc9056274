/**
 * Layered layout of an acyclic graph (after Sugiyama).
 *
 *   1  layer(v) = the longest path from a source
 *   2  an edge across layers gets a bend in each layer between
 *   3  the nodes of a layer are ordered by the mean position of their neighbours, in a few sweeps in both directions
 *   4  positions across: the weighted mean of the neighbours', pushed apart until nothing overlaps
 *
 * `along` is the direction of the flow, `across` the other; the drawing decides which of them is x. Both in units of the drawing, from 0.
 */
import type { TopologyEdge } from './answers.js';

export type PlacedNode = { readonly id: string; readonly along: number; readonly across: number };
export type PlacedEdge = TopologyEdge & { readonly points: readonly Point[] };
export type Point = { readonly along: number; readonly across: number };

export type Layout = {
  readonly nodes: readonly PlacedNode[];
  readonly edges: readonly PlacedEdge[];
  readonly along: number;
  readonly across: number;
};

export type LayoutSizes = {
  readonly nodeAlong: number;
  readonly nodeAcross: (id: string) => number;
  readonly gapAlong: number;
  readonly gapAcross: number;
  /** The width that a bend of a passing edge takes. */
  readonly bendAcross: number;
  /** The available width: kept to if each layer fits by itself. */
  readonly acrossMax?: number;
};

type Spot = { readonly id: string; readonly layer: number; readonly isBend: boolean; at: number };

const SWEEPS = 12;

export function layOut(
  edges: readonly TopologyEdge[],
  sizes: LayoutSizes,
  layers: ReadonlyMap<string, number> = layersOf(edges),
): Layout {
  const { rows, links, chains } = withBends(edges, layers);
  const neighbours = neighboursOf(links);
  for (let sweep = 0; sweep < SWEEPS; sweep++) order(rows, neighbours, sweep % 2 === 0);
  place(rows, neighbours, sizes);
  const spots = new Map(rows.flat().map((spot) => [spot.id, spot]));
  const least = Math.min(...rows.flat().map((spot) => spot.at - extent(spot, sizes) / 2));
  const most = Math.max(...rows.flat().map((spot) => spot.at + extent(spot, sizes) / 2));
  const step = sizes.nodeAlong + sizes.gapAlong;
  const middle = ({ layer, at }: Spot): Point => ({ along: layer * step + sizes.nodeAlong / 2, across: at - least });
  const nodes = rows.flat().flatMap((spot) => (spot.isBend ? [] : [{ id: spot.id, ...middle(spot) }]));
  const placed = chains.map(({ edge, ids }): PlacedEdge => {
    const points = ids.flatMap((id, i) => {
      const spot = spots.get(id)!;
      const point = middle(spot);
      const before = { ...point, along: point.along - sizes.nodeAlong / 2 };
      const after = { ...point, along: point.along + sizes.nodeAlong / 2 };
      return i === 0 ? [after] : i === ids.length - 1 ? [before] : [before, after];
    });
    return { ...edge, points };
  });
  return { nodes, edges: placed, along: rows.length * step - sizes.gapAlong, across: most - least };
}

/** The layer of each node. In a cycle, which a topology cannot have, some edge is ignored. */
export function layersOf(edges: readonly TopologyEdge[]): Map<string, number> {
  const from = new Map<string, string[]>();
  const ids = new Set<string>();
  for (const edge of edges) {
    ids.add(edge.from).add(edge.to);
    from.set(edge.to, [...(from.get(edge.to) ?? []), edge.from]);
  }
  const layers = new Map<string, number>();
  const open = new Set<string>();
  const visit = (id: string): number => {
    const known = layers.get(id);
    if (known !== undefined) return known;
    open.add(id);
    const before = (from.get(id) ?? []).filter((one) => !open.has(one));
    const layer = Math.max(-1, ...before.map(visit)) + 1;
    open.delete(id);
    layers.set(id, layer);
    return layer;
  };
  for (const id of ids) visit(id);
  return layers;
}

/** Layers of at most `most` nodes: in a full layer, the nodes with the shortest path ahead move to the next one. */
export function narrowLayersOf(edges: readonly TopologyEdge[], most: number): Map<string, number> {
  const free = layersOf(edges);
  const forth = edges.filter(({ from, to }) => free.get(from)! < free.get(to)!);
  const ahead = layersOf(forth.map(({ from, to }) => ({ from: to, to: from })));
  const layers = new Map<string, number>();
  for (let layer = 0; layers.size < free.size; layer++) {
    const isBehind = (id: string): boolean => (layers.get(id) ?? layer) < layer;
    [...free.keys()]
      .filter((id) => !layers.has(id) && forth.every(({ from, to }) => to !== id || isBehind(from)))
      .sort((a, b) => (ahead.get(b) ?? 0) - (ahead.get(a) ?? 0))
      .slice(0, most)
      .forEach((id) => layers.set(id, layer));
  }
  return layers;
}

function withBends(edges: readonly TopologyEdge[], layers: ReadonlyMap<string, number>) {
  const rows: Spot[][] = Array.from({ length: Math.max(0, ...layers.values()) + 1 }, () => []);
  const add = (id: string, layer: number, isBend: boolean): void => {
    rows[layer]!.push({ id, layer, isBend, at: 0 });
  };
  for (const [id, layer] of layers) add(id, layer, false);
  const links: [string, string][] = [];
  const chains = edges
    .filter((edge) => layers.get(edge.from)! < layers.get(edge.to)!)
    .map((edge, number) => {
      const ids = [edge.from];
      for (let layer = layers.get(edge.from)! + 1; layer < layers.get(edge.to)!; layer++) {
        const id = `bend ${number} ${layer}`;
        add(id, layer, true);
        ids.push(id);
      }
      ids.push(edge.to);
      for (let i = 1; i < ids.length; i++) links.push([ids[i - 1]!, ids[i]!]);
      return { edge, ids };
    });
  return { rows, links, chains };
}

type Neighbours = ReadonlyMap<string, { readonly before: readonly string[]; readonly after: readonly string[] }>;

function neighboursOf(links: readonly (readonly [string, string])[]): Neighbours {
  const found = new Map<string, { before: string[]; after: string[] }>();
  const of = (id: string) => {
    const known = found.get(id) ?? { before: [], after: [] };
    found.set(id, known);
    return known;
  };
  for (const [from, to] of links) {
    of(from).after.push(to);
    of(to).before.push(from);
  }
  return found;
}

const mean = (values: readonly number[]): number | undefined =>
  values.length === 0 ? undefined : values.reduce((total, one) => total + one, 0) / values.length;

function order(rows: Spot[][], neighbours: Neighbours, forth: boolean): void {
  const ranks = new Map<string, number>();
  const note = (row: readonly Spot[]): void => {
    row.forEach((spot, i) => ranks.set(spot.id, i - (row.length - 1) / 2));
  };
  rows.forEach(note);
  for (const row of forth ? rows : [...rows].reverse()) {
    const wish = (spot: Spot): number => {
      const near = neighbours.get(spot.id);
      const ids = (forth ? near?.before : near?.after) ?? [];
      return mean(ids.map((id) => ranks.get(id)!)) ?? ranks.get(spot.id)!;
    };
    const wishes = new Map(row.map((spot) => [spot.id, wish(spot)]));
    row.sort((a, b) => wishes.get(a.id)! - wishes.get(b.id)!);
    note(row);
  }
}

const extent = (spot: Spot, { nodeAcross, bendAcross }: LayoutSizes): number =>
  spot.isBend ? bendAcross : nodeAcross(spot.id);

/** The weight of an edge's straightness: highest between two bends. */
const pull = (a: Spot, b: Spot): number => (a.isBend && b.isBend ? 8 : a.isBend || b.isBend ? 2 : 1);

function place(rows: readonly Spot[][], neighbours: Neighbours, sizes: LayoutSizes): void {
  const spots = new Map(rows.flat().map((spot) => [spot.id, spot]));
  for (const row of rows)
    settle(
      row,
      row.map(() => 0),
      sizes,
    );
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const forth = sweep % 2 === 0;
    for (const row of forth ? rows : [...rows].reverse()) {
      const wishes = row.map((spot) => {
        const { before = [], after = [] } = neighbours.get(spot.id) ?? {};
        const near = sweep > SWEEPS / 2 ? [...before, ...after] : forth ? before : after;
        const others = near.map((id) => spots.get(id)!);
        return mean(others.flatMap((other) => Array<number>(pull(spot, other)).fill(other.at))) ?? spot.at;
      });
      settle(row, wishes, sizes);
    }
  }
}

/** Moves everything as near to its wish as its neighbours allow, in the order of the row: touching spots move as one. */
function settle(row: readonly Spot[], wishes: readonly number[], sizes: LayoutSizes): void {
  type Block = { spots: Spot[]; offsets: number[]; sum: number; at: number; size: number };
  const blocks: Block[] = [];
  row.forEach((spot, i) => {
    const size = extent(spot, sizes) + sizes.gapAcross;
    let block: Block = {
      spots: [spot],
      offsets: [size / 2],
      sum: wishes[i]! - size / 2,
      at: wishes[i]! - size / 2,
      size,
    };
    for (let last = blocks.at(-1); last !== undefined && last.at + last.size > block.at; last = blocks.at(-1)) {
      blocks.pop();
      const { size: shift } = last;
      const sum = last.sum + block.sum - shift * block.spots.length;
      const together = [...last.spots, ...block.spots];
      const offsets = [...last.offsets, ...block.offsets.map((one) => one + shift)];
      block = { spots: together, offsets, sum, at: sum / together.length, size: shift + block.size };
    }
    blocks.push(block);
  });
  for (const { spots, offsets, at } of blocks) spots.forEach((spot, i) => (spot.at = at + offsets[i]!));
  const taken = row.reduce((total, spot) => total + extent(spot, sizes) + sizes.gapAcross, 0);
  const most = (sizes.acrossMax ?? Infinity) + sizes.gapAcross;
  if (taken > most || most === Infinity) return;
  // Leaves enough room for all spots before and after it.
  let before = 0;
  for (const spot of row) {
    const size = extent(spot, sizes) + sizes.gapAcross;
    const least = before + size / 2 - most / 2;
    spot.at = Math.min(Math.max(spot.at, least), least + most - taken);
    before += size;
  }
}
