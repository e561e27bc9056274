/** The pipeline as it runs: each stage where it stands, how much flows, how it is. A stage opens to its partitions. */
import { useMemo, useRef, useState } from 'preact/hooks';
import { chainOf } from './answers.js';
import { withoutWatermark } from './event-time.js';
import { Panel } from './panel.js';
import { StagePanel } from './stage-panel.js';
import { LEDGER_HEIGHT, LedgerNode, NODE_HEIGHT, StageNode } from './stage-node.js';
import type { History, StageFigures } from './status-history.js';
import { layersOf, type Layout, layOut, narrowLayersOf, type Point } from './topology-layout.js';
import { useWidth } from './width.js';
import { figure, plural } from './wording.js';

const NODE_WIDTH_MAX = 148;
const NODE_WIDTH_MIN = 118;
/** Of a layer with one stage, two, three and more: tried from the widest on. */
const NARROW_WIDTHS = [
  [148, 148, 148],
  [148, 136, 120],
  [148, 130, 108],
  [148, 124, 108],
  [148, 118, 108],
  [140, 110, 108],
] as const;
/** Of a layer, tried from the most on: a drawing that is too wide becomes longer. */
const NODES_PER_LAYER = [Infinity, 3, 2, 1];

type Drawn = {
  readonly layout: Layout;
  /** The flow goes down, not to the right. */
  readonly isDown: boolean;
  readonly widthOf: (id: string) => number;
};

interface TopologyProps {
  readonly history: History | undefined;
  readonly staleSinceMs: number | undefined;
}

export function TopologyPanel({ history, staleSinceMs }: TopologyProps) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [open, setOpen] = useState<string>();
  const nodes = useRef(new Map<string, SVGRectElement>());
  // The same edges come with every answer.
  const key = JSON.stringify([history?.status.edges, history === undefined ? [] : [...history.stages.keys()]]);
  const drawn = useMemo(
    () =>
      history === undefined || history.status.edges.length === 0 || width === 0 ? undefined : draw(history, width),
    [key, width],
  );
  const close = (): void => {
    if (open !== undefined) nodes.current.get(open)?.focus();
    setOpen(undefined);
  };
  const isWider = drawn !== undefined && longOf(drawn) > width;
  const opened = open === undefined ? undefined : history?.stages.get(open);
  return (
    <Panel
      id="topology"
      title="The pipeline"
      hint={staleSinceMs === undefined && <Summary history={history} />}
      staleSinceMs={staleSinceMs}
    >
      {/* What scrolls must be reached with the keyboard. */}
      <div class="map" ref={ref} {...(isWider ? { tabIndex: 0, role: 'region', 'aria-label': 'The pipeline' } : {})}>
        {drawn !== undefined && history !== undefined && (
          <Drawing drawn={drawn} width={width} history={history} open={open} nodes={nodes.current} onOpen={setOpen} />
        )}
      </div>
      {opened !== undefined && history !== undefined && (
        <StagePanel key={opened.stage} figures={opened} status={history.status} onClose={close} />
      )}
    </Panel>
  );
}

function Summary({ history }: { readonly history: History | undefined }) {
  if (history === undefined) return <>Every stage, as it runs</>;
  const all = [...history.stages.values()];
  const troubled = all.filter(({ state }) => state === 'failed' || state === 'backoff' || state === 'stopped').length;
  const running = all.reduce((total, { running: here }) => total + here, 0);
  return (
    <>
      {plural(all.length, 'stage')}, {plural(running, 'partition')} running here
      {troubled === 0 ? '' : `, ${plural(troubled, 'stage')} in trouble`}. Choose a stage to see its partitions.
    </>
  );
}

function draw({ status: { edges }, stages }: History, width: number): Drawn {
  const ids = new Set(edges.flatMap(({ from, to }) => [from, to]).filter((id) => !stages.has(id)));
  const nodeAcross = (id: string): number => (ids.has(id) ? LEDGER_HEIGHT : NODE_HEIGHT);
  const layerOf = layersOf(edges);
  const layers = Math.max(...layerOf.values()) + 1;
  const gap = 20;
  const nodeWidth = Math.min(NODE_WIDTH_MAX, Math.floor((width - (layers - 1) * gap) / layers));
  if (nodeWidth >= NODE_WIDTH_MIN) {
    const gapAlong = layers === 1 ? gap : Math.min(48, (width - layers * nodeWidth) / (layers - 1));
    const sizes = { nodeAcross, gapAcross: 18, bendAcross: 10, nodeAlong: nodeWidth, gapAlong };
    return { layout: layOut(edges, sizes), isDown: false, widthOf: () => nodeWidth };
  }
  let narrowest: Drawn | undefined;
  for (const most of NODES_PER_LAYER) {
    const narrow = narrowLayersOf(edges, most);
    for (const narrower of NARROW_WIDTHS) {
      const widthOf = (id: string): number => {
        const beside = [...narrow.values()].filter((layer) => layer === narrow.get(id)).length;
        return narrower[Math.min(beside, narrower.length) - 1]!;
      };
      const sizes = {
        nodeAlong: NODE_HEIGHT,
        nodeAcross: widthOf,
        gapAlong: 30,
        gapAcross: 6,
        bendAcross: 1,
        acrossMax: width,
      };
      const down = { layout: layOut(edges, sizes, narrow), isDown: true, widthOf };
      if (down.layout.across <= width) return down;
      if (narrowest === undefined || down.layout.across < narrowest.layout.across) narrowest = down;
    }
  }
  // Wider than its panel all the same: the panel scrolls.
  return narrowest!;
}

/** From left to right, in CSS pixels. */
const longOf = ({ layout, isDown }: Drawn): number => Math.ceil(isDown ? layout.across : layout.along);

interface DrawingProps {
  readonly drawn: Drawn;
  readonly width: number;
  readonly history: History;
  readonly open: string | undefined;
  readonly nodes: Map<string, SVGRectElement>;
  readonly onOpen: (stage: string | undefined) => void;
}

function Drawing({ drawn, width: room, history, open, nodes, onOpen }: DrawingProps) {
  const { layout, isDown, widthOf } = drawn;
  const pad = 2;
  const high = isDown ? layout.along : layout.across;
  const width = Math.max(room, longOf(drawn));
  const left = (width - longOf(drawn)) / 2;
  // Going down, what is no stage stands where its edges end; above the first of them there is nothing.
  const begins = new Set(layout.edges.map(({ to }) => to));
  const isFirst = (id: string): boolean => !begins.has(id);
  const isShort = isDown && layout.nodes.every(({ id }) => !isFirst(id) || !history.stages.has(id));
  const top = isShort ? NODE_HEIGHT - LEDGER_HEIGHT : 0;
  const height = high - top + 2 * pad;
  const box = `${-left} ${top - pad} ${width} ${height}`;
  const path = pathOf(isDown);
  return (
    // Not an image: its stages are buttons.
    <svg viewBox={box} width={width} height={height} role="group" aria-label="Stages of the pipeline">
      <g aria-hidden="true">
        {layout.edges.map((edge, i) => {
          const of = rateOf(history, edge.from);
          const inMemory = chainOf(history.status, edge.from)?.includes(edge.to) === true;
          const marks = `${open === edge.from || open === edge.to ? ' is-near' : ''}${inMemory ? ' is-chained' : ''}`;
          return (
            <g key={`${edge.from} ${edge.to} ${i}`} class={`edge${marks}`}>
              <title>
                {edge.from} to {edge.to}
                {edge.label === undefined ? '' : `: ${edge.label}`}
                {inMemory && ', in memory: they run as one'}
              </title>
              <path class="bed" d={path(edge.points)} />
              <path class={`flow flow-${speedOf(of)}`} d={path(edge.points)} />
            </g>
          );
        })}
      </g>
      {layout.nodes.map(({ id, along, across }) => {
        const [x, y] = isDown ? [across, along] : [along, across];
        const nodeWidth = widthOf(id);
        const corner = { x: x - nodeWidth / 2, y: y - NODE_HEIGHT / 2, width: nodeWidth, height: NODE_HEIGHT };
        const figures = history.stages.get(id);
        if (figures === undefined) {
          const place = !isDown ? 0.5 : isFirst(id) ? 1 : 0;
          return <LedgerNode key={id} id={id} {...corner} place={place} detail={eventRateOf(history, id)} />;
        }
        return (
          <StageNode
            key={id}
            {...corner}
            figures={figures}
            now={history.status.now}
            noWatermark={withoutWatermark(id, history.status.edges)}
            mailboxOf={chainOf(history.status, id)?.[0] ?? id}
            isOpen={open === id}
            onToggle={() => onOpen(open === id ? undefined : id)}
            onElement={(element) => (element === null ? nodes.delete(id) : nodes.set(id, element))}
          />
        );
      })}
    </svg>
  );
}

const pathOf = (isDown: boolean) => (points: readonly Point[]) => {
  const at = ({ along, across }: Point): string =>
    isDown ? `${across.toFixed(1)} ${along.toFixed(1)}` : `${along.toFixed(1)} ${across.toFixed(1)}`;
  return points
    .map((point, i) => {
      const before = points[i - 1];
      if (before === undefined) return `M${at(point)}`;
      // Through a layer it runs straight, between two of them it bends.
      if (i % 2 === 0) return `L${at(point)}`;
      const middle = (before.along + point.along) / 2;
      return `C${at({ ...before, along: middle })} ${at({ ...point, along: middle })} ${at(point)}`;
    })
    .join('');
};

function rateOf(history: History, from: string): number | undefined {
  const stage: StageFigures | undefined = history.stages.get(from);
  if (stage !== undefined) return stage.messagesPerSecond;
  // What else begins an edge has no figure of its own: what it sends is what those who read it take.
  if (from === 'events') return history.samples.at(-1)?.eventsPerSecond;
  const read = history.status.edges.flatMap((edge) => (edge.from === from ? [history.stages.get(edge.to)] : []));
  return read.reduce<number | undefined>((most, one) => one?.messagesPerSecond ?? most, undefined);
}

/** Few steps: a flow that changes its pace with every answer would stumble. */
function speedOf(perSecond: number | undefined): number {
  if (perSecond === undefined || perSecond < 0.05) return 0;
  return perSecond < 2 ? 1 : perSecond < 20 ? 2 : 3;
}

/** Of what is no stage only `events` has a figure; what side outputs keep is not known here: the lists below show it. */
function eventRateOf({ samples }: History, id: string): string | undefined {
  return id === 'events' ? `${figure(samples.at(-1)?.eventsPerSecond)} events/s` : undefined;
}
