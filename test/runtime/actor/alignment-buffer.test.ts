/** Messages that wait for their epoch: order, memory, and what a snapshot holds of them (ALIGNMENT-BUFFER-1, ALIGNMENT-BUFFER-2). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../runtime/frames/bytes.js';
import type { StoredState } from '../../../runtime/state/kinds.js';
import { BUFFERED, BUFFERED_BYTES, AlignmentBuffer } from '../../../runtime/actor/alignment-buffer.js';
import type { LogMessage } from '../../../runtime/contract/ports.js';

const NO_ONE: ReadonlySet<string> = new Set();
const writerOf = (subject: string): string => subject.split('.')[3]!;
const message = (sequence: number, writer: string, text = `${writer} ${sequence}`): LogMessage => ({
  ...{ sequence, subject: `rivulet.join.0.${writer}.0`, storedAtMs: sequence * 10, data: utf8(text), headers: {} },
});

/** The store of a snapshot. */
class Disk {
  readonly cells = new Map<string, Uint8Array>();
  reads = 0;

  take(held: AlignmentBuffer): void {
    for (const { state, key, value } of held.cut()) {
      if (value === undefined) this.cells.delete(`${state}/${key}`);
      else this.cells.set(`${state}/${key}`, value.slice());
    }
  }

  cell(name: string): StoredState {
    return {
      get: (key) => {
        this.reads++;
        return this.cells.get(`${name}/${key}`);
      },
      entries: () =>
        [...this.cells]
          .filter(([key]) => key.startsWith(`${name}/`))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, bytes]) => [key.slice(name.length + 1), bytes] as const),
    };
  }

  open(memoryBytesMax?: number): AlignmentBuffer {
    const held = new AlignmentBuffer(writerOf, memoryBytesMax);
    held.restore(this.cell(BUFFERED), this.cell(BUFFERED_BYTES));
    return held;
  }
}

const drained = (held: AlignmentBuffer): string[] => {
  const texts: string[] = [];
  for (let writer = held.firstWriter(NO_ONE); writer !== undefined; writer = held.firstWriter(NO_ONE)) {
    texts.push(Buffer.from(held.release(writer).data).toString());
  }
  return texts;
};

describe('buffered messages', () => {
  it('keep at most the bound and what is newer than the snapshot in memory; the rest is read when its turn comes', () => {
    const disk = new Disk();
    const held = disk.open(1_000);
    const all: string[] = [];
    let most = 0;
    for (let i = 1; i <= 200; i++) {
      const text = `${i} `.padEnd(100, 'x');
      all.push(text);
      held.push(message(i, 'fast', text));
      most = Math.max(most, held.memoryBytes);
      if (i % 10 === 0) {
        disk.take(held);
        held.written();
        expect(held.memoryBytes).toBeLessThanOrEqual(1_000);
      }
    }
    expect([held.count, held.bytes, most]).toEqual([200, 20_000, 2_000]);
    expect(disk.reads).toBe(0);
    expect(drained(held)).toEqual(all);
    expect([held.count, held.bytes, held.memoryBytes, disk.reads]).toEqual([0, 0, 0, 190]);
    disk.take(held);
    expect(disk.cells.size).toBe(0);
  });

  it('are an index in memory after a restore, in stream order though keys are text', () => {
    const disk = new Disk();
    const held = disk.open();
    for (const sequence of [8, 9, 10, 11, 100]) held.push(message(sequence, sequence % 2 === 0 ? 'a' : 'b'));
    disk.take(held);
    const restored = disk.open();
    expect([restored.count, restored.bytes, restored.memoryBytes]).toEqual([5, held.bytes, 0]);
    expect([restored.has('a'), restored.has('b'), restored.has('c')]).toEqual([true, true, false]);
    expect(drained(restored)).toEqual(['a 8', 'b 9', 'a 10', 'b 11', 'a 100']);
  });

  it('that are missing from the store are fatal (ALIGNMENT-BUFFER-3)', () => {
    const disk = new Disk();
    const held = disk.open();
    held.push(message(7, 'a'));
    disk.take(held);
    disk.cells.delete(`${BUFFERED_BYTES}/7`);
    expect(() => disk.open().release('a')).toThrow(expect.objectContaining({ code: 'STATE_DAMAGED' }));
  });

  it('that come and go between two snapshots leave no trace; a reader’s memory may be used again', () => {
    const held = new Disk().open();
    const one = message(1, 'a');
    held.push(one);
    one.data.fill(0);
    expect(Buffer.from(held.release('a').data).toString()).toBe('a 1');
    expect(held.cut()).toEqual([]);
  });

  it('are released per writer in order, and nothing is lost or released twice, through any snapshots and crashes', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('hold' as const), writer: fc.constantFrom('a', 'b', 'c') }),
      fc.record({ kind: fc.constantFrom('release', 'cut', 'written', 'crash') }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const disk = new Disk();
        let held = disk.open(20);
        let model: string[] = [];
        let stored: string[] = [];
        let cut: [number: string[], disk: Map<string, Uint8Array>] | undefined;
        let sequence = 0;
        for (const one of steps) {
          if (one.kind === 'hold') {
            held.push(message(++sequence, one.writer));
            model.push(`${one.writer} ${sequence}`);
          } else if (one.kind === 'release' && model.length > 0) {
            const text = Buffer.from(held.release(held.firstWriter(NO_ONE)!).data).toString();
            expect(text).toBe(model.shift());
          } else if (one.kind === 'cut' && cut === undefined) {
            const next = new Disk();
            for (const [key, bytes] of disk.cells) next.cells.set(key, bytes);
            next.take(held);
            cut = [[...model], next.cells];
          } else if (one.kind === 'written' && cut !== undefined) {
            disk.cells.clear();
            for (const [key, bytes] of cut[1]) disk.cells.set(key, bytes);
            stored = cut[0];
            cut = undefined;
            held.written();
          } else if (one.kind === 'crash') {
            held = disk.open(20);
            model = [...stored];
            cut = undefined;
          }
          expect(held.count).toBe(model.length);
        }
        expect(drained(held)).toEqual(model);
      }),
      { numRuns: 300 },
    );
  });
});
