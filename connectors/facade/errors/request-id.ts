/** The id of a request, in the log and in its answer. */
import { randomUUID } from 'node:crypto';

const SHORT_PLAIN_WORD = /^[\w.:/+=~-]{1,128}$/;

/** The client's, from its header `x-request-id`, if that is a short plain word; else one of ours. */
export const requestIdOf = (given: unknown): string =>
  typeof given === 'string' && SHORT_PLAIN_WORD.test(given) ? given : randomUUID();
