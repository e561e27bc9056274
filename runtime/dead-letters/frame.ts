/** A dead-letter record: the original bytes, where they came from, and why they were refused. */
import { frameType } from '../frames/frame.js';

export const deadLetters = frameType('dead-letter', {
  /** The original bytes, exactly: read them from the dictionary, not as text. */
  original: 'text',
  /** Where it came from: the subject and stream sequence, and of a file its name and the 1-based line. */
  subject: 'text',
  sequence: 'f64',
  file: 'text',
  line: 'f64',
  /** Index within an array or JSONL message, from 0. */
  index: 'u32',
  /** Stage that refused it, stable name of the rule, field at fault (absent when it is the entire record), reason for people. */
  stage: 'text',
  rule: 'text',
  field: 'text',
  reason: 'text',
  storedAt: 'f64',
});
