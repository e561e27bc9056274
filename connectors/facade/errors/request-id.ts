/** The id of a request, in the log and in its answer. */
import { randomUUID } from 'node:crypto';

const SHORT_PLAIN_WORD = /^[\w.:/+=~-]{1,128}$/;

/** The id from the client's header `x-request-id`, if it is a short plain word; else a new one. */
export const requestIdOf = (given: unknown): string =>
  typeof given === 'string' && SHORT_PLAIN_WORD.test(given) ? given : randomUUID();
