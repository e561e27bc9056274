/** The pipeline as it runs: each stage where it stands, how much flows, how it is. A stage opens to its partitions. */
import { useMemo, useRef, useState } from 'preact/hooks';
import type { Status } from './answers.js';
import { Panel } from './panel.js';
import { StagePanel } from './stage-panel.js';
import { LedgerNode, StageNode } from './stage-node.js';
import type { History, StageFigures } from './status-history.js';
import { type Layout, layOut, type LayoutSizes, type Point } from './topology-layout.js';
import { useWidth } from './width.js';
import { plural } from './wording.js';

const NODE_WIDTH_MAX = 148;
const NODE_WIDTH_MIN = 118;
const NODE_HEIGHT = 112;
const NARROW_WIDTHS = [150, 140, 130, 120, 112, 106, 100, 94, 88];

type Drawn = {
  readonly layout: Layout;
  /** The flow goes down, not to the right. */
  readonly isDown: boolean;
  readonly nodeWidth: number;
};

export function TopologyPanel({ history }: { readonly history: History | undefined }) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [open, setOpen] = useState<string>();
  const nodes = useRef(new Map<string, SVGGElement>());
  const edges = history?.status.edges;
  // The same edges come with every answer.
  const key = JSON.stringify(edges ?? []);
  const drawn = useMemo(
    () => (edges === undefined || edges.length === 0 || width === 0 ? undefined : draw(edges, width)),
    [key, width],
  );
  const close = (): void => {
    if (open !== undefined) nodes.current.get(open)?.focus();
    setOpen(undefined);
  };
  const opened = open === undefined ? undefined : history?.stages.get(open);
  return (
    <Panel id="topology" title="The pipeline" hint={<Summary history={history} />}>
      <div class="map" ref={ref}>
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
  const troubled = all.filter(({ state }) => state !== 'running' && state !== 'elsewhere').length;
  const running = all.reduce((total, { running: here }) => total + here, 0);
  return (
    <>
      {plural(all.length, 'stage')}, {plural(running, 'partition')} running here
      {troubled === 0 ? '' : `, ${plural(troubled, 'stage')} in trouble`}. Choose a stage to see its partitions.
    </>
  );
}

function draw(edges: Status['edges'], width: number): Drawn {
  const across: Omit<LayoutSizes, 'nodeAlong'> = { nodeAcross: NODE_HEIGHT, gapAlong: 0, gapAcross: 18, bendAcross: 10 };
  const layers = Math.round(layOut(edges, { ...across, nodeAlong: 1 }).along);
  const gap = 26;
  const nodeWidth = Math.min(NODE_WIDTH_MAX, Math.floor((width - (layers - 1) * gap) / layers));
  if (nodeWidth >= NODE_WIDTH_MIN) {
    const gapAlong = layers === 1 ? gap : Math.min(48, (width - layers * nodeWidth) / (layers - 1));
    return { layout: layOut(edges, { ...across, nodeAlong: nodeWidth, gapAlong }), isDown: false, nodeWidth };
  }
  let down: Drawn | undefined;
  for (const narrower of NARROW_WIDTHS) {
    const sizes = { nodeAlong: NODE_HEIGHT, nodeAcross: narrower, gapAlong: 30, gapAcross: 8, bendAcross: 2 };
    down = { layout: layOut(edges, sizes), isDown: true, nodeWidth: narrower };
    if (down.layout.across <= width) break;
  }
  return down!;
}

interface DrawingProps {
  readonly drawn: Drawn;
  readonly width: number;
  readonly history: History;
  readonly open: string | undefined;
  readonly nodes: Map<string, SVGGElement>;
  readonly onOpen: (stage: string | undefined) => void;
}

function Drawing({ drawn, width, history, open, nodes, onOpen }: DrawingProps) {
  const { layout, isDown, nodeWidth } = drawn;
  const pad = 2;
  const [long, high] = isDown ? [layout.across, layout.along] : [layout.along, layout.across];
  const left = (width - long) / 2;
  const box = `${-left} ${-pad} ${width} ${high + 2 * pad}`;
  const path = pathOf(isDown);
  return (
    // Not an image: its stages are buttons.
    <svg viewBox={box} width={width} height={high + 2 * pad} role="group" aria-label="Stages of the pipeline">
      <g aria-hidden="true">
        {layout.edges.map((edge, i) => {
          const of = rateOf(history, edge.from);
          const marks = open === edge.from || open === edge.to ? ' is-near' : '';
          return (
            <g key={`${edge.from} ${edge.to} ${i}`} class={`edge${marks}`}>
              <title>
                {edge.from} to {edge.to}
                {edge.label === undefined ? '' : `: ${edge.label}`}
              </title>
              <path class="bed" d={path(edge.points)} />
              <path class={`flow flow-${speedOf(of)}`} d={path(edge.points)} />
            </g>
          );
        })}
      </g>
      {layout.nodes.map(({ id, along, across }) => {
        const [x, y] = isDown ? [across, along] : [along, across];
        const corner = { x: x - nodeWidth / 2, y: y - NODE_HEIGHT / 2, width: nodeWidth, height: NODE_HEIGHT };
        const figures = history.stages.get(id);
        if (figures === undefined) return <LedgerNode key={id} id={id} {...corner} count={countOf(history, id)} />;
        return (
          <StageNode
            key={id}
            {...corner}
            figures={figures}
            now={history.status.now}
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
  return stage === undefined ? history.samples.at(-1)?.eventsPerSecond : stage.messagesPerSecond;
}

/** Few steps: a flow that changes its pace with every answer would stumble. */
function speedOf(perSecond: number | undefined): number {
  if (perSecond === undefined || perSecond < 0.05) return 0;
  return perSecond < 2 ? 1 : perSecond < 20 ? 2 : 3;
}

/** Of what is no stage: events come from outside; side outputs keep what they were given. */
function countOf({ status, samples }: History, id: string): { readonly value?: number; readonly unit: string } {
  const { late, dead_letter: deadLetters } = status.counters;
  if (id === 'late') return { value: late, unit: 'kept' };
  if (id === 'dead-letter') return { value: deadLetters, unit: 'kept' };
  const rate = samples.at(-1)?.eventsPerSecond;
  return { ...(rate === undefined ? {} : { value: rate }), unit: 'events/s' };
}
