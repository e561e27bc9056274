/** A mailbox that goes on from state of other partitions is not read without that state. */
import { expect, it } from 'vitest';
import { CLOCK, REPARTITION, subjectOf } from '../../../runtime/contract/graph.js';
import { Heard } from '../../../runtime/log-integrity/predecessors.js';
import type { Span } from '../../../runtime/log-integrity/gaps.js';

it('refuses the beginning that a repartition has written', () => {
  const beginning = {
    sequence: 1,
    subject: subjectOf('window', 0, REPARTITION, 0),
    storedAtMs: 0,
    data: new Uint8Array(),
    headers: {},
  };
  expect(() => {
    new Heard('window.0', 0, {}).follow(beginning);
  }).toThrow(expect.objectContaining({ code: 'LOG_GAP', reaction: 'fatal' }));
});

it('misses what was said before, unless it is known to be gone', () => {
  const tick = {
    ...{ sequence: 9, subject: subjectOf('parse', 0, CLOCK, 0), storedAtMs: 0, expected: 7 },
    ...{ data: new Uint8Array(), headers: {} },
  };
  const follow = (gone: Span[]) => () => {
    new Heard('parse.0', 5, {}, gone).follow(tick);
  };
  expect(follow([])).toThrow(expect.objectContaining({ code: 'LOG_GAP', reaction: 'fatal' }));
  expect(follow([[6, 7]])).not.toThrow();
});
