/** What was answered is read again as it was, or not at all: a log that gives other inputs is refused. */
import { expect, it } from 'vitest';
import { InputDigest, withInput } from '../../../runtime/actor/input-digest.js';
import { FITS, type Verdict } from '../../../runtime/log-integrity/verdict.js';
import { NO_OUTPUT } from '../../../runtime/actor/output-position.js';

const INPUTS = [3, 5, 6, 9].map((sequence) => ({ sequence, storedAtMs: 1_000 + sequence }));
const DIGEST = INPUTS.reduce(withInput, 0);

/** Answered up to message 9; the snapshot includes the first input. */
const replay = (gone: readonly (readonly [number, number])[] = []): InputDigest => {
  const published = { ...NO_OUTPUT, first: 9, sequence: 9, inputsDigest: DIGEST };
  const restored = { sequence: 3, inputsDigest: withInput(0, INPUTS[0]!) };
  return new InputDigest('sum.0', 'RIVULET_SUM', restored, new Map([['to', { published }]]), gone);
};
const read = (inputs: InputDigest, ...messages: typeof INPUTS): Verdict =>
  [...messages.map((message) => inputs.take(message)), inputs.end()].find(({ fits }) => !fits) ?? FITS;

it('goes on with the same inputs', () => {
  const inputs = replay();
  expect(read(inputs, ...INPUTS.slice(1), { sequence: 12, storedAtMs: 5_000 })).toBe(FITS);
  expect(inputs.digest).toBe(withInput(DIGEST, { sequence: 12, storedAtMs: 5_000 }));
});

it.each([
  ['one is gone', [INPUTS[1]!, INPUTS[3]!]],
  ['the last is gone', [INPUTS[1]!, INPUTS[2]!, { sequence: 12, storedAtMs: 5_000 }]],
  ['all are gone', []],
  ['another one has its number', [INPUTS[1]!, { sequence: 6, storedAtMs: 7_000 }, INPUTS[3]!]],
  ['there is one more', [INPUTS[1]!, INPUTS[2]!, { sequence: 8, storedAtMs: 1_008 }, INPUTS[3]!]],
])('is refused where %s', (_, messages) => {
  expect(read(replay(), ...messages)).toMatchObject({ kind: 'inputs-differ', code: 'LOG_GAP', subject: 'RIVULET_SUM' });
});

it('goes on without what is known to be gone', () => {
  expect(read(replay([[6, 6]]), INPUTS[1]!, INPUTS[3]!)).toBe(FITS);
});
