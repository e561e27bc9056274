/** Epochs and watermarks (ALIGNMENT-1–ALIGNMENT-3), worked by hand. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Alignment, initialAlignment, type ProgressReport } from '../../../runtime/actor/alignment.js';
import { said, topologyOf } from './alignment-bed.js';

describe('the watermark (ALIGNMENT-1)', () => {
  let alignment: Alignment;
  beforeEach(() => {
    alignment = new Alignment(topologyOf({ aligned: false }), 'c', 0, initialAlignment());
  });

  /** Each line: who says what W (null: nothing), whether it is idle, and W after the epoch that the message ends. */
  const hear = (
    ...lines: readonly (readonly [writer: string, w: number | null, idle: boolean, after: number])[]
  ): void => {
    for (const [at, [writer, watermarkMs, idle, after]] of lines.entries()) {
      const before = alignment.watermarkMs;
      alignment.observe(writer, said({ idle, ...(watermarkMs === null ? {} : { watermarkMs }) }));
      expect(alignment.watermarkMs, `line ${at}: W moves at the end of an epoch only`).toBe(before);
      expect(alignment.epochIsOver()).toBe(true);
      expect(alignment.endEpoch()).toMatchObject({ epoch: at, watermarkMs: before });
      expect(alignment.watermarkMs, `line ${at}`).toBe(after);
    }
  };

  it('is −∞ before any', () => {
    hear(['a/0', null, false, -Infinity], ['a/1', null, true, -Infinity]);
  });

  it('is the minimum over the upstreams that have reported', () => {
    hear(['a/0', 100, false, 100], ['a/1', 150, false, 100], ['a/0', 200, false, 150], ['b/0', 170, false, 150]);
  });

  it('never moves back: not for a lower W, not for an upstream that reports late', () => {
    hear(['a/0', 100, false, 100], ['a/0', 90, false, 100], ['b/1', 10, false, 100], ['b/1', 120, false, 100]);
  });

  it('waits for the slowest', () => {
    hear(['a/0', 100, false, 100], ['a/1', 100, false, 100], ['a/0', 500, false, 100], ['a/1', 300, false, 300]);
  });

  it('leaves out the idle, and takes them in again when they speak', () => {
    hear(
      ['a/0', 100, false, 100],
      ['a/1', 100, false, 100],
      ['a/0', 400, false, 100],
      ['a/1', 100, true, 400],
      ['a/1', 450, false, 400],
      ['a/0', 600, false, 450],
    );
  });

  it('is the maximum when all are idle', () => {
    hear(['a/0', 100, false, 100], ['a/1', 300, false, 100], ['a/0', 100, true, 300], ['a/1', 300, true, 300]);
    const other = new Alignment(topologyOf({ aligned: false }), 'c', 0, initialAlignment());
    for (const [writer, watermarkMs] of [
      ['a/0', 100],
      ['a/1', 300],
    ] as const) {
      other.observe(writer, said({ watermarkMs, idle: true }));
    }
    other.endEpoch();
    expect(other.watermarkMs).toBe(300);
  });

  it('goes on from its state after a restart', () => {
    hear(['a/0', 100, false, 100], ['a/1', 150, false, 100]);
    const restored = JSON.parse(JSON.stringify(alignment.state)) as typeof alignment.state;
    alignment = new Alignment(topologyOf({ aligned: false }), 'c', 0, restored);
    alignment.observe('a/0', said({ watermarkMs: 120 }));
    expect(alignment.endEpoch()).toMatchObject({ epoch: 2, watermarkMs: 100 });
    expect(alignment.watermarkMs).toBe(120);
  });

  it('passes to the stage the latest event time of any upstream', () => {
    alignment.observe('a/0', said({ asOfMs: 50 }));
    alignment.observe('a/1', said({ asOfMs: 40 }));
    expect(alignment.endEpoch().asOfMs).toBe(50);
  });

  it('holds nobody back: each message is an epoch of its own', () => {
    alignment.observe('a/0', said({ endsEpoch: true }));
    expect(alignment.mustBuffer('a/0')).toBe(false);
  });
});

describe('aligned epochs (ALIGNMENT-2)', () => {
  let alignment: Alignment;
  const writers = ['a/0', 'a/1', 'b/0', 'b/1'];
  beforeEach(() => {
    alignment = new Alignment(topologyOf({ aligned: true }), 'c', 0, initialAlignment());
  });
  const end = (writer: string, more: Partial<ProgressReport> = {}): boolean => {
    alignment.observe(writer, said({ endsEpoch: true, ...more }));
    return alignment.epochIsOver();
  };

  it('end when every upstream has ended them', () => {
    expect(writers.map((writer) => end(writer))).toEqual([false, false, false, true]);
    expect(alignment.endEpoch()).toMatchObject({ epoch: 0, watermarkMs: -Infinity });
    expect(alignment.epochIsOver()).toBe(false);
  });

  it('that all have passed are over together; who was away is not behind for ever', () => {
    end('a/0', { epochs: 1_000 });
    end('a/1', { epochs: 1_000 });
    end('b/0', { epochs: 1_005 });
    expect(end('b/1', { epochs: 1_003 })).toBe(true);
    expect([alignment.endEpoch().epoch, alignment.state.epoch]).toEqual([0, 1_000]);
    expect(writers.map((writer) => alignment.mustBuffer(writer))).toEqual([false, false, true, true]);
    end('a/0');
    // Away while five passed, and says so at once.
    end('a/1', { epochs: 5 });
    expect(alignment.endEpoch().epoch).toBe(1_000);
    end('a/0', { epochs: 4 });
    end('b/1', { epochs: 2 });
    expect([alignment.endEpoch().epoch, alignment.state.epoch]).toEqual([1_001, 1_005]);
    expect(writers.some((writer) => alignment.mustBuffer(writer))).toBe(false);
  });

  it('buffer what a faster upstream sends of the next one', () => {
    end('a/0');
    expect(writers.map((writer) => alignment.mustBuffer(writer))).toEqual([true, false, false, false]);
    for (const writer of writers.slice(1)) end(writer);
    alignment.endEpoch();
    expect(writers.map((writer) => alignment.mustBuffer(writer))).toEqual([false, false, false, false]);
  });

  it('do not wait for one that has ended its input', () => {
    alignment.observe('a/0', said({ endsInput: true }));
    expect(writers.slice(1).map((writer) => end(writer))).toEqual([false, false, true]);
    alignment.endEpoch();
    expect(writers.slice(1).map((writer) => end(writer))).toEqual([false, false, true]);
  });

  it('do not wait for a source that is not awaited, nor it for them', () => {
    alignment = new Alignment(topologyOf({ aligned: true, table: true }), 'c', 0, initialAlignment());
    alignment.observe('t/0', said());
    expect(writers.map((writer) => end(writer))).toEqual([false, false, false, true]);
    expect(alignment.knows('t/0')).toBe(false);
    alignment.observe('t/0', said({ endsInput: true }));
    alignment.endEpoch();
    expect(alignment.inputIsOver()).toBe(false);
    expect(Object.keys(alignment.state.upstreams)).toEqual(writers);
  });

  it('do not end by the end of input alone', () => {
    for (const writer of writers) {
      alignment.observe(writer, said({ endsInput: true }));
      expect(alignment.epochIsOver()).toBe(false);
    }
  });

  it('move W when they end, to the minimum of what was reported by then', () => {
    for (const [i, writer] of writers.entries()) {
      expect(alignment.watermarkMs).toBe(-Infinity);
      end(writer, { watermarkMs: 100 + i });
    }
    expect(alignment.endEpoch().watermarkMs).toBe(-Infinity);
    expect(alignment.watermarkMs).toBe(100);
    for (const writer of writers) end(writer, { watermarkMs: 200 });
    expect(alignment.endEpoch()).toMatchObject({ epoch: 1, watermarkMs: 100 });
    expect(alignment.watermarkMs).toBe(200);
  });

  it('end the input once, when all have ended theirs and no epoch is open', () => {
    for (const writer of writers.slice(0, 3)) {
      end(writer, { endsInput: true });
      expect(alignment.inputIsOver()).toBe(false);
    }
    end('b/1', { endsInput: true });
    expect(alignment.inputIsOver()).toBe(false);
    alignment.endEpoch();
    expect([alignment.inputIsOver(), alignment.inputIsOver()]).toEqual([true, false]);
    expect(alignment.state.finished).toBe(true);
  });

  it('know their writers', () => {
    expect(['a/0', 'b/1', 'a/2', 'clock/0'].map((writer) => alignment.knows(writer))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('go on from their state after a restart', () => {
    end('a/0');
    end('a/1');
    const restored = JSON.parse(JSON.stringify(alignment.state)) as typeof alignment.state;
    alignment = new Alignment(topologyOf({ aligned: true }), 'c', 0, restored);
    expect(writers.map((writer) => alignment.mustBuffer(writer))).toEqual([true, true, false, false]);
    expect([end('b/0'), end('b/1')]).toEqual([false, true]);
  });
});

describe('a side input (ALIGNMENT-3)', () => {
  let alignment: Alignment;
  const main = ['a/0', 'a/1', 'b/0', 'b/1'];
  const side = ['s/0', 's/1'];
  const holds = (writers: readonly string[]): boolean[] => writers.map((writer) => alignment.mustBuffer(writer));
  const end = (writers: readonly string[], more: Partial<ProgressReport> = {}): void => {
    for (const writer of writers) alignment.observe(writer, said({ endsEpoch: true, ...more }));
  };
  beforeEach(() => {
    alignment = new Alignment(topologyOf({ aligned: true, side: true }), 'c', 0, initialAlignment());
  });

  it('of an epoch is wholly taken in before the others of that epoch', () => {
    expect([holds(side), holds(main)]).toEqual([
      [false, false],
      [true, true, true, true],
    ]);
    end(['s/0']);
    expect([holds(side), holds(main)]).toEqual([
      [true, false],
      [true, true, true, true],
    ]);
    end(['s/1']);
    expect([holds(side), holds(main)]).toEqual([
      [true, true],
      [false, false, false, false],
    ]);
    end(main);
    expect(alignment.epochIsOver()).toBe(true);
    alignment.endEpoch();
    expect([holds(side), holds(main)]).toEqual([
      [false, false],
      [true, true, true, true],
    ]);
  });

  it('that has ended holds nobody', () => {
    end(side, { endsInput: true });
    end(main);
    alignment.endEpoch();
    expect(holds(main)).toEqual([false, false, false, false]);
    end(main);
    expect(alignment.epochIsOver()).toBe(true);
  });
});
