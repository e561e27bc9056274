/** A topology of several upstreams, and what they say. */
import { NEVER } from 'rxjs';
import type { ProgressReport } from '../../../runtime/actor/alignment.js';
import { defineTopology, edge, source, type Topology } from '../../../runtime/contract/graph.js';
import { frameType, input, sideInput, stage } from '../../../runtime/contract/stage.js';

const rows = frameType('rows', { user: 'text' });

/** a (2 instances) and b (2 instances) into c; s, a side input, or t, a source that nobody waits for, when asked for. All partitioned by a column, so that all hear all. */
export function topologyOf({
  aligned,
  side = false,
  table = false,
}: {
  readonly aligned: boolean;
  readonly side?: boolean;
  readonly table?: boolean;
}): Topology {
  const spec = { version: 1, key: 'item', outputs: { rows }, state: {}, pipeline: () => NEVER } as const;
  const entry = (id: string) => stage({ ...spec, id, inputs: { rows: input(rows) } });
  const [a, b, s] = [entry('a'), entry('b'), entry('s')];
  const c = stage({ ...spec, id: 'c', key: 'user', inputs: { a: input(rows), b: input(rows), s: sideInput(rows) } });
  return defineTopology({
    partitions: { source: 2, user: 2, item: 2 },
    stages: [a, b, c, ...(side ? [s] : [])],
    topics: [],
    edges: [
      ...[a, b, ...(side ? [s] : [])].map((one) => edge(source('events'), one.in.rows, { by: 'item' })),
      edge(a.out.rows, c.in.a, { by: 'user' }),
      edge(b.out.rows, c.in.b, { by: 'user' }),
      ...(side ? [edge(s.out.rows, c.in.s, { by: 'all' })] : []),
      ...(table ? [edge(source('t', { awaited: false }), c.in.s, { by: 'user' })] : []),
    ],
    aligned: new Set(aligned ? ['c'] : []),
  });
}

export const said = (more: Partial<ProgressReport> = {}): ProgressReport => ({
  endsEpoch: false,
  epochs: 0,
  endsInput: false,
  idle: false,
  ...more,
});
