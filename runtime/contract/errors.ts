/**
 * Errors, classified by the runtime's reaction.
 *
 * poison     the input is bad: dead-letter it, record the skip, go on
 * transient  a dependency is temporarily unavailable: retry with backoff
 * fatal      going on would be wrong: stop, explain, name the fix
 * bug        any other error: crash the actor, restore, replay
 *
 * Codes are stable and may be matched by scripts (error-codes.ts); messages are for people and may change.
 */
import type { ErrorCode } from './error-codes.js';

export type Reaction = 'poison' | 'transient' | 'fatal' | 'bug';

export interface ErrorOptions {
  readonly cause?: unknown;
  /** How the reader can fix it, one sentence. */
  readonly hint?: string;
}

export class RivuletError extends Error {
  override readonly name = 'RivuletError';
  readonly hint: string | undefined;

  constructor(
    readonly reaction: Reaction,
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.hint = options.hint;
  }
}

export const poison = (code: ErrorCode, message: string, options?: ErrorOptions): RivuletError =>
  new RivuletError('poison', code, message, options);

export const transient = (code: ErrorCode, message: string, options?: ErrorOptions): RivuletError =>
  new RivuletError('transient', code, message, options);

export const fatal = (code: ErrorCode, message: string, options?: ErrorOptions): RivuletError =>
  new RivuletError('fatal', code, message, options);

/** Is it a Rivulet error with this code? */
export const hasCode = (error: unknown, code: ErrorCode): error is RivuletError =>
  error instanceof RivuletError && error.code === code;

/** How the runtime reacts to an error; any other error is a bug. */
export function reactionOf(error: unknown): Reaction {
  return error instanceof RivuletError ? error.reaction : 'bug';
}

/** One line for people: the code, the message, the hint and the chain of causes. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const head = error instanceof RivuletError ? `${error.code}: ${error.message}` : `${error.name}: ${error.message}`;
  const hint = error instanceof RivuletError && error.hint !== undefined ? ` (${error.hint})` : '';
  const cause = error.cause === undefined ? '' : ` ← ${explain(error.cause)}`;
  return head + hint + cause;
}

export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
