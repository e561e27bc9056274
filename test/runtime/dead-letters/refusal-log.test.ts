import { beforeEach, expect, it } from 'vitest';
import { RefusalLog } from '../../../runtime/dead-letters/refusal-log.js';
import { newStatus } from '../../../runtime/telemetry/status.js';

let nowMs: number;
let lines: object[];
let refusals: RefusalLog;
beforeEach(() => {
  nowMs = 0;
  lines = [];
  refusals = new RefusalLog({ monotonicMs: () => nowMs }, { info: (fields) => lines.push(fields) });
});

const parse = { ...newStatus('parse', 1), sequence: 0 };
function see(total: number, sequence: number): void {
  refusals.follow([
    { ...parse, sequence, counters: { ...parse.counters, dead_letter: total } },
    newStatus('window', 0),
  ]);
}

it('the first are told at once, with the place, and a flood of them once a minute', () => {
  see(7, 100);
  expect(lines).toEqual([]);
  see(8, 120);
  expect(lines).toEqual([{ stage: 'parse', partition: 1, refused: 1, total: 8, sequence: 120 }]);
  for (let i = 0; i < 100; i++) see(9 + i, 121 + i);
  expect(lines).toHaveLength(1);
  nowMs = 60_000;
  see(108, 300);
  expect(lines[1]).toEqual({ stage: 'parse', partition: 1, refused: 100, total: 108, sequence: 300 });
  nowMs = 120_000;
  see(108, 400);
  expect(lines).toHaveLength(2);
});

it('what a restore takes back and a replay counts again is told as what it is: more since then', () => {
  see(5, 50);
  see(2, 20);
  expect(lines).toEqual([]);
  see(5, 50);
  expect(lines).toEqual([{ stage: 'parse', partition: 1, refused: 3, total: 5, sequence: 50 }]);
});
