/**
 * Which stages have a watermark, by the edges of the pipeline: the stage that makes it, and those that read from that stage. Stages behind these
 * receive rows and ends of epochs, but no watermark.
 */
import type { TopologyEdge } from './answers.js';

const MAKER = 'watermark';
/** Stages of the catalogue. What passes between them and the events is of items, which have no event time. */
const OF_ITEMS: ReadonlySet<string> = new Set(['parse-items', 'catalogue']);
const NO_EVENT_TIME = 'no event time comes here';

/** Why a stage never has a watermark; `undefined`: it has one as soon as there were events. */
export function withoutWatermark(stage: string, edges: readonly TopologyEdge[]): string | undefined {
  if (OF_ITEMS.has(stage)) return NO_EVENT_TIME;
  if (stage === MAKER || edges.some(({ from, to }) => from === MAKER && to === stage)) return undefined;
  if (leadsTo(stage, MAKER, edges)) return `it is made further on, by ${MAKER}`;
  return leadsTo(MAKER, stage, edges) ? `only stages that read from ${MAKER} have it` : NO_EVENT_TIME;
}

function leadsTo(from: string, to: string, edges: readonly TopologyEdge[], seen = new Set<string>()): boolean {
  if (from === to) return true;
  // The edges may form a cycle.
  seen.add(from);
  return edges.some((edge) => edge.from === from && !seen.has(edge.to) && leadsTo(edge.to, to, edges, seen));
}
