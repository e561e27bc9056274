/** The error for stored state that differs from what was written. */
import { fatal, type RivuletError } from '../runtime/contract/errors.js';

export const damaged = (directory: string, what: string, cause?: unknown): RivuletError =>
  fatal('STATE_DAMAGED', `the state in ${directory} is damaged: ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'look at it with `rivulet state verify`; `rivulet repair` sets it aside, and the node makes it anew from its copy or from the log',
  });
