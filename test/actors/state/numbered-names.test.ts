import { describe, expect, it } from 'vitest';
import { names, NumberedNames, NamesOfColumn } from '../../../actors/state/numbered-names.js';
import { frameOf, tables } from '../../../runtime/contract/stage.js';

const spec = tables(names, { key: ['name'] });

describe('numbered names', () => {
  it('are numbered from 1 in order of first sight; absent is 0', () => {
    const numbered = new NumberedNames(spec.create(), 0, 10);
    expect(['b', 'a', undefined, 'b', 'c'].map((name) => numbered.number(name))).toEqual([1, 2, 0, 1, 3]);
    expect([0, 1, 2, 3].map((number) => numbered.text(number))).toEqual([undefined, 'b', 'a', 'c']);
  });

  it('end at the bound: further names are none', () => {
    const numbered = new NumberedNames(spec.create(), 0, 2);
    expect(['a', 'b', 'c', 'a', 'c'].map((name) => numbered.number(name))).toEqual([1, 2, 0, 1, 0]);
  });

  it('are the same after a restart, marks too', () => {
    const cell = spec.create();
    const before = new NumberedNames(cell, 1, 10);
    ['b', 'a'].forEach((name) => before.number(name));
    before.mark(0, true);
    before.mark(2, true);
    const stored = new Map([...cell.cut()].map(({ key, value }) => [key, value!.slice()]));

    const restored = spec.create();
    restored.restore({ get: (key) => stored.get(key), entries: () => stored });
    const after = new NumberedNames(restored, 1, 10);
    expect(after.marked()).toEqual([0, 2]);
    after.mark(2, false);
    expect([after.isMarked(0), after.isMarked(1), after.isMarked(2)]).toEqual([true, false, false]);
    expect(['c', 'a', 'b'].map((name) => after.number(name))).toEqual([3, 2, 1]);
  });
});

describe('said names', () => {
  it('are those of the latest event; at one time, of the later text', () => {
    const known = new NumberedNames(spec.create(), 0, 10);
    const rows = [
      { name: 'b', time: 5 },
      { name: 'a', time: 5 },
      { name: 'a', time: 4 },
      { time: 9 },
      { name: 'c', time: 5 },
      { name: 'a', time: 6 },
    ];
    const said = new NamesOfColumn(
      known,
      frameOf(
        names,
        rows.map(({ name }) => (name === undefined ? {} : { name })),
      ).columns.name,
    );
    const times = new Float64Array(1);
    let kept = 0;
    const all = rows.map(({ time }, at) => {
      kept = said.latest(at, kept, times, 0, time);
      return `${known.text(kept)} at ${times[0]}`;
    });
    expect(all).toEqual(['b at 5', 'b at 5', 'b at 5', 'b at 5', 'c at 5', 'a at 6']);
  });
});
