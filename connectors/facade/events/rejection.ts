/** Why one event is rejected while the others continue. */
import type { Fault } from '../../../actors/formats/fault.js';
import { asError } from '../../../runtime/contract/errors.js';
import { cutText } from '../errors/cut-text.js';

/** A fault of the event, as parse reports it; or the log can never store it. */
export interface Rejection extends Pick<Fault, 'field' | 'reason'> {
  readonly rule: Fault['rule'] | 'not_stored';
}

const REASON_CHARS_MAX = 200;

/** `error`: Poison, caused by the publisher. */
export const notStored = (error: unknown): Rejection => ({
  rule: 'not_stored',
  reason: cutText(asError(error).message, REASON_CHARS_MAX),
});
