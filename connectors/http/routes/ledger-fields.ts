/** The common parts of the pages of dead letters and of late events. */
import { z } from 'zod';
import { invalidFields } from '../../facade/errors/fault.js';
import { wholeInQuery } from './fields.js';
import { Refused } from '../server/problem.js';
import { RivuletError } from '../../../runtime/contract/errors.js';

const LIMIT_MAX = 200;
const LIMIT_DEFAULT = 50;
/** The format of the cursors of browsable logs. */
const CURSOR = /^\d{1,15}-\d{1,9}$/;

export const pageQuery = {
  limit: wholeInQuery(1, LIMIT_MAX, LIMIT_DEFAULT, 'How many at most'),
  cursor: z
    .string()
    .regex(CURSOR, 'is no cursor: send the next_cursor of the page before')
    .optional()
    .describe('The next_cursor of the page before'),
};

export const nextCursor = z
  .string()
  .optional()
  .describe('Cursor of the next page; absent on the last. A page that is not full, even an empty one, may have it');

export const storedTime = (about: string) => z.string().meta({ description: about, format: 'date-time' });

/** Throws the error of a page, mapped to the query field that caused it, if any. */
export function refusePage(error: unknown): never {
  if (!(error instanceof RivuletError) || error.code !== 'BROWSABLE_LOG_CURSOR') throw error;
  throw new Refused(invalidFields([{ field: 'cursor', description: error.message }]));
}
