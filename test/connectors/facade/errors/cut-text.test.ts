/** What is shown of a text is a text: none of its characters is cut in half. */
import { describe, expect, it } from 'vitest';
import { cutText } from '../../../../connectors/facade/errors/cut-text.js';
import { notStored } from '../../../../connectors/facade/events/event-intake.js';
import { problemOf, Refused } from '../../../../connectors/http/server/problem.js';
import { shownValue } from '../../../../connectors/http/server/shown-value.js';
import { poison } from '../../../../runtime/contract/errors.js';

const GRINS = '\u{1F600}'.repeat(1_000);
const HALF = /\p{Surrogate}/u;

it.each([
  ['', 3, ''],
  ['abc', 3, 'abc'],
  ['abcd', 3, 'abc'],
  ['a\u{1F600}b', 2, 'a'],
  ['a\u{1F600}b', 3, 'a\u{1F600}'],
  ['a\uD800', 2, 'a\uFFFD'],
  ['\uDC00ab', 2, '\uFFFDa'],
])('%j cut at %d is %j', (text, unitsMax, cut) => {
  expect(cutText(text, unitsMax)).toBe(cut);
});

describe('no half a character is in', () => {
  it.each([1, 2, 3, 4])('a value that is shown: %d units of it', (unitsMax) => {
    expect(shownValue(GRINS, unitsMax)).not.toMatch(HALF);
  });

  it.each(['', 'a'])(
    'the reason of an event that the log does not take, and the detail of a problem: %s and faces',
    (before) => {
      expect(notStored(poison('LOG_UNREACHABLE', before + GRINS)).reason).not.toMatch(HALF);
      const refused = new Refused({ code: 'INVALID_ARGUMENT', message: before + GRINS, reason: 'LOG_UNREACHABLE' });
      expect(problemOf(refused, '/', 'id').detail).not.toMatch(HALF);
    },
  );
});
