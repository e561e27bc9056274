/** Facts and verdicts, one row each. That actors throw and commands print the same is shown on real state and logs in lying-log.test.ts. */
import { expect, it } from 'vitest';
import { CLOCK, REPARTITION, subjectOf } from '../../../runtime/contract/graph.js';
import {
  errorOf,
  judgeAnswered,
  judgeHead,
  judgeInput,
  judgeInputs,
  judgeLastRead,
  judgeMissing,
  judgeOutput,
  judgePredecessor,
  judgeStream,
  judgeTrim,
  type Verdict,
  verdictText,
} from '../../../runtime/log-integrity/verdict.js';

const READ = { sequence: 5, stream: 'a' };
const RESTORED = (upTo: number, lastSequence = 9) => ({
  ...{ identity: 'b', lastSequence },
  origins: [{ identity: 'a', upTo }],
});
const stream = (read: typeof READ | undefined, info: Parameters<typeof judgeStream>[3]): Verdict =>
  judgeStream('sum.0', 'S', read, info);
const output = (known: number, answered: number, last: number, lastAnswered: number, end = 9): Verdict =>
  judgeOutput('sum.0', 'to', { sequence: known, answered }, { sequence: last, answered: lastAnswered }, end);

const FACTS = { restoredAt: 0, last: undefined, gone: [], seesAll: false };
const UPSTREAM = subjectOf('sum', 0, 'read', 0);
const after = (expected: number | undefined, facts: object = {}, subject = UPSTREAM): Verdict =>
  judgePredecessor(
    'sum.0',
    { subject, sequence: 9, ...(expected === undefined ? {} : { expected }) },
    { ...FACTS, ...facts },
  );
const inputs = (found: number | undefined, gone: readonly (readonly [number, number])[] = []): Verdict =>
  judgeInputs('sum.0', 'S', { from: 4, upTo: 8, answered: 77, found, gone });
const HEAD = { format: 2, stageVersion: 3, partitions: 4 };

/** `undefined`: it fits. */
const ROWS: readonly (readonly [string, Verdict, string | undefined, string?])[] = [
  ['nothing was read', stream(undefined, undefined), undefined],
  ['the stream goes on', stream(READ, { identity: 'a', lastSequence: 5 }), undefined],
  ['it ends before', stream(READ, { identity: 'a', lastSequence: 4 }), 'rolled-back', 'LOG_BEHIND'],
  ['it is another one', stream(READ, { identity: 'b', lastSequence: 9 }), 'other-stream', 'LOG_BEHIND'],
  ['it is not there', stream(READ, undefined), 'other-stream', 'LOG_BEHIND'],
  ['it was restored with all that was read', stream(READ, RESTORED(5)), undefined],
  ['it was restored with less', stream(READ, RESTORED(4)), 'rolled-back', 'LOG_BEHIND'],
  ['it was restored, and rolled back since', stream(READ, RESTORED(5, 4)), 'rolled-back', 'LOG_BEHIND'],

  ['the same message', judgeLastRead('sum.0', 'S', { sequence: 5, storedAtMs: 7 }, { storedAtMs: 7 }), undefined],
  ['of an unknown time', judgeLastRead('sum.0', 'S', { sequence: 5, storedAtMs: 0 }, { storedAtMs: 7 }), undefined],
  [
    'another message',
    judgeLastRead('sum.0', 'S', { sequence: 5, storedAtMs: 6 }, { storedAtMs: 7 }),
    'refilled',
    'LOG_BEHIND',
  ],

  ['the output is there', output(5, 3, 5, 3), undefined],
  ['a later one', output(5, 3, 6, 4), undefined],
  ['it is gone', output(5, 3, 2, 1), 'output-gone', 'LOG_BEHIND'],
  ['it was published again by another owner', output(5, 3, 8, 1), 'output-repeated', 'LOG_BEHIND'],
  ['the input is there', judgeInput('sum.0', UPSTREAM, 5, 5), undefined],
  ['it is gone', judgeInput('sum.0', UPSTREAM, 5, 0), 'input-gone', 'LOG_BEHIND'],
  ['what was answered is there', judgeAnswered('sum.0', 'S', 5, 5), undefined],
  ['it is not', judgeAnswered('sum.0', 'S', 5, 4), 'rolled-back', 'LOG_BEHIND'],
  ['nor is the stream', judgeAnswered('sum.0', 'S', 5, undefined), 'rolled-back', 'LOG_BEHIND'],
  ['nothing was answered, and there is no stream', judgeAnswered('sum.0', 'S', 0, undefined), undefined],

  ['trimmed up to what was read', judgeTrim('sum.0', 'S', 5, 6), undefined],
  ['trimmed further', judgeTrim('sum.0', 'S', 5, 7), 'trimmed', 'LOG_GAP'],
  ['nothing is missing', judgeMissing('sum.0', 'S', []), undefined],
  [
    'some are missing',
    judgeMissing('sum.0', 'S', [
      [3, 4],
      [9, 9],
    ]),
    'lost',
    'LOG_GAP',
  ],
  ['they are missing from the first one on', judgeMissing('sum.0', 'S', [[1, 4]]), 'trimmed', 'LOG_GAP'],

  ['a stranger’s message', after(undefined), undefined],
  ['a writer’s first one', after(0), undefined],
  ['one behind its last', after(7, { last: 7 }), undefined],
  ['one before it is gone', after(8, { last: 7 }), 'predecessor-gone', 'LOG_GAP'],
  ['it is known to be gone', after(8, { last: 7, gone: [[8, 8]] }), undefined],
  ['it was read, as sequences show', after(5, { restoredAt: 5, seesAll: true }), undefined],
  ['whether it was read is not known', after(5, { restoredAt: 5 }), 'predecessor-gone', 'LOG_GAP'],
  ['what was read is published anew', after(0, { last: 7 }), 'input-gone', 'LOG_BEHIND'],
  ['a clock begins anew', after(0, { last: 7, seesAll: true }, subjectOf('sum', 0, CLOCK, 0)), undefined],
  ['the beginning after a repartition', after(0, {}, subjectOf('sum', 0, REPARTITION, 0)), 'repartitioned', 'LOG_GAP'],

  ['the answered inputs', inputs(77), undefined],
  ['others', inputs(78), 'inputs-differ', 'LOG_GAP'],
  ['not all of them', inputs(undefined), 'inputs-differ', 'LOG_GAP'],
  ['without one that is known to be gone', inputs(78, [[6, 6]]), undefined],

  ['a snapshot of this build', judgeHead('sum.0', HEAD, HEAD), undefined],
  ['of another format', judgeHead('sum.0', { ...HEAD, format: 9 }, HEAD), 'other-format', 'SNAPSHOT_FORMAT'],
  ['of another version', judgeHead('sum.0', { ...HEAD, stageVersion: 9 }, HEAD), 'other-version', 'STAGE_VERSION'],
  [
    'of other partitions',
    judgeHead('sum.0', { ...HEAD, partitions: 9 }, HEAD),
    'other-partitions',
    'PARTITIONS_CHANGED',
  ],
];

it.each(ROWS.map(([name, verdict, kind, code]) => ({ name, verdict, kind, code })))('$name', (row) => {
  const { verdict, kind, code } = row;
  if (verdict.fits) {
    expect(kind).toBeUndefined();
    return;
  }
  expect(verdict).toMatchObject({ kind, code });
  const error = errorOf(verdict);
  expect(error).toMatchObject({ reaction: 'fatal', code, hint: verdict.remedy });
  expect(verdictText(verdict)).toBe(`${error.code}: ${error.message}`);
  expect(error.message).toMatch(/^.+ does not fit .+: expected .+, but .+$/);
});
