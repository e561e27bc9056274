/** What is known of all upstreams (ALIGNMENT-4), worked by hand. */
import { describe, expect, it } from 'vitest';
import { Alignment, initialAlignment, type ProgressReport } from '../../../runtime/actor/alignment.js';
import type { Topology } from '../../../runtime/contract/graph.js';
import { said, topologyOf } from './alignment-bed.js';

describe('what is known (ALIGNMENT-4)', () => {
  const knownOf = (topology: Topology, state = initialAlignment()) => {
    const alignment = new Alignment(topology, 'c', 0, state);
    return {
      alignment,
      /** As of, and the latest tick, after a message. */
      after: (writer: string, more: Partial<ProgressReport>) => {
        alignment.observe(writer, said(more));
        if (more.endsEpoch === true && alignment.epochIsOver()) alignment.endEpoch();
        return [alignment.state.asOfMs, alignment.tickMs];
      },
    };
  };

  it('is what is known of all upstreams: of each up to its latest event, or its latest tick', () => {
    const { after } = knownOf(topologyOf({ aligned: false }));
    expect(after('a/0', { asOfMs: 50 })).toEqual([null, -Infinity]);
    expect(after('a/1', { asOfMs: 40 })).toEqual([null, -Infinity]);
    expect(after('b/0', { tickMs: 45 })).toEqual([null, -Infinity]);
    expect(after('b/1', { tickMs: 60 })).toEqual([40, -Infinity]);
    expect(after('a/1', { tickMs: 60 })).toEqual([45, -Infinity]);
    // b/0 is away: what the others tell is not known of it.
    expect(after('a/0', { asOfMs: 70, tickMs: 70 })).toEqual([45, 45]);
    expect(after('a/1', { asOfMs: 70, tickMs: 70 })).toEqual([45, 45]);
    expect(after('b/0', { tickMs: 65 })).toEqual([60, 60]);
    expect(after('b/1', { tickMs: 90 })).toEqual([65, 65]);
    // No later than any event.
    expect(after('b/0', { tickMs: 90 })).toEqual([70, 70]);
  });

  it('does not depend on what side inputs report', () => {
    const { after } = knownOf(topologyOf({ aligned: false, side: true }));
    for (const writer of ['a/0', 'a/1', 'b/0', 'b/1']) after(writer, { asOfMs: 50, tickMs: 50 });
    expect(after('s/0', { asOfMs: 90, tickMs: 90 })).toEqual([50, 50]);
  });

  it('does not move back, also over a restart', () => {
    const { alignment, after } = knownOf(topologyOf({ aligned: false }));
    for (const writer of ['a/0', 'a/1', 'b/0', 'b/1']) after(writer, { asOfMs: 50, tickMs: 50 });
    const restored = JSON.parse(JSON.stringify(alignment.state)) as typeof alignment.state;
    expect(knownOf(topologyOf({ aligned: false }), restored).after('a/0', { asOfMs: 40, tickMs: 40 })).toEqual([
      50, 50,
    ]);
  });

  it('moves with the end of an epoch where epochs align', () => {
    const { after } = knownOf(topologyOf({ aligned: true }));
    const end = { asOfMs: 50, tickMs: 50, endsEpoch: true };
    for (const writer of ['a/0', 'a/1', 'b/0']) expect(after(writer, end)).toEqual([null, -Infinity]);
    expect(after('b/1', end)).toEqual([50, 50]);
  });
});
