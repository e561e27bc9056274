/** A mailbox that goes on from state of other partitions is not read without that state. */
import { expect, it } from 'vitest';
import { CLOCK, REPARTITION, subjectOf } from '../../../runtime/contract/graph.js';
import { Predecessors } from '../../../runtime/log-integrity/predecessors.js';
import type { Span } from '../../../runtime/log-integrity/spans.js';
import { FITS, type Verdict } from '../../../runtime/log-integrity/verdict.js';

it('refuses the beginning that a repartition has written', () => {
  const beginning = {
    sequence: 1,
    subject: subjectOf('window', 0, REPARTITION, 0),
    storedAtMs: 0,
    data: new Uint8Array(),
    headers: {},
    expected: 0,
  };
  const verdict = new Predecessors('window.0', 0, {}).check(beginning);
  expect(verdict).toMatchObject({ kind: 'repartitioned', code: 'LOG_GAP' });
});

it('reports a missing predecessor, unless it is recorded as lost', () => {
  const tick = {
    ...{ sequence: 9, subject: subjectOf('parse', 0, CLOCK, 0), storedAtMs: 0, expected: 7 },
    ...{ data: new Uint8Array(), headers: {} },
  };
  const follow = (gone: Span[]): Verdict => new Predecessors('parse.0', 5, {}, gone).check(tick);
  expect(follow([])).toMatchObject({ kind: 'predecessor-gone', code: 'LOG_GAP' });
  expect(follow([[6, 7]])).toBe(FITS);
});

it('misses a writer’s first message, also when the snapshot includes later ones of others', () => {
  const second = {
    ...{ sequence: 12, subject: subjectOf('join', 0, 'weigh', 0), storedAtMs: 0, expected: 8 },
    ...{ data: new Uint8Array(), headers: {} },
  };
  const follow = (seesAll: boolean): Verdict =>
    new Predecessors('join.0', 11, { [subjectOf('join', 0, 'weigh', 1)]: 11 }, [], seesAll).check(second);
  expect(follow(false)).toMatchObject({ kind: 'predecessor-gone', code: 'LOG_GAP' });
  // It was given up, and the record of that has gone with what was trimmed.
  expect(follow(true)).toBe(FITS);
});
