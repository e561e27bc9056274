/** Errors on their way between threads. */
import { asError, RivuletError } from './contract/errors.js';

/** An error that can cross a thread boundary. */
export interface PlainError {
  readonly reaction: RivuletError['reaction'];
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
  /** Why, in words. */
  readonly cause: string | undefined;
  readonly stack: string | undefined;
}

export function plainError(error: Error): PlainError {
  const own = error instanceof RivuletError ? error : undefined;
  return {
    reaction: own?.reaction ?? 'bug',
    code: own?.code ?? 'BUG',
    message: error.message,
    hint: own?.hint,
    cause: error.cause === undefined ? undefined : asError(error.cause).message,
    stack: error.stack,
  };
}

export const revived = ({ reaction, code, message, hint, cause, stack }: PlainError): RivuletError =>
  Object.assign(
    new RivuletError(reaction, code, message, {
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause: new Error(cause) }),
    }),
    { stack },
  );
