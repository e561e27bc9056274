/** What a broken rule must end in, and nothing else may pass for it: an invariant of the simulation, a comparison of a job, or a refusal of the runtime. */
import { AssertionError } from 'node:assert/strict';
import { RivuletError } from '../../runtime/contract/errors.js';

/** What an instance may end with when the log is not what it was. */
const REFUSALS: ReadonlySet<string> = new Set(['LOG_BEHIND', 'LOG_GAP']);

/** An oracle has seen something that must not be. */
export class Violation extends Error {}

export const isRefusal = (error: unknown): error is RivuletError =>
  error instanceof RivuletError && REFUSALS.has(error.code);

export const isViolation = (error: unknown): boolean =>
  error instanceof Violation || error instanceof AssertionError || isRefusal(error);
