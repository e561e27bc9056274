/** A mailbox that goes on from state of other partitions is not read without that state. */
import { expect, it } from 'vitest';
import { REPARTITION, subjectOf } from '../../runtime/graph.js';
import { Heard } from '../../runtime/heard.js';

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
