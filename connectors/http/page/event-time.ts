/**
 * Which stages have a watermark, by the edges of the pipeline: the stage that makes it, and those that read from that stage. Stages behind these
 * receive rows and ends of epochs, but no watermark.
 */
import type { TopologyEdge } from './answers.js';

const MAKER = 'watermark';

/** Why a stage never has a watermark; `undefined`: it has one as soon as there were events. */
export function withoutWatermark(stage: string, edges: readonly TopologyEdge[]): string | undefined {
  if (stage === MAKER || edges.some(({ from, to }) => from === MAKER && to === stage)) return undefined;
  if (leadsTo(stage, MAKER, edges)) return `it is made further on, by ${MAKER}`;
  return leadsTo(MAKER, stage, edges) ? `only stages that read from ${MAKER} have it` : 'no event time comes here';
}

function leadsTo(from: string, to: string, edges: readonly TopologyEdge[], seen = new Set<string>()): boolean {
  if (from === to) return true;
  // The edges may form a cycle.
  seen.add(from);
  return edges.some((edge) => edge.from === from && !seen.has(edge.to) && leadsTo(edge.to, to, edges, seen));
}
