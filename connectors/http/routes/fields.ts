/** Fields that many routes share. */
import { z } from 'zod';
import { NAME_BYTES_MAX } from '../../../actors/formats/limits.js';
import { LIMIT_DEFAULT, LIMIT_MAX, textProblem } from '../../facade/errors/text-problem.js';

/** No control characters, for the OpenAPI document: the same rule as textProblem. */
export const PLAIN_TEXT = '^[^\\u0000-\\u001f\\u007f-\\u009f]*$';

/** An id: not empty, at most 256 bytes, without control characters. */
export const idText = (about: string) =>
  z
    .string()
    .superRefine((text, context) => {
      const problem = text === '' ? 'must not be empty' : textProblem(text);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
    })
    .meta({ description: about, minLength: 1, maxLength: NAME_BYTES_MAX, pattern: PLAIN_TEXT });

/** A whole number in a query. */
export const wholeInQuery = (from: number, to: number, byDefault: number, about: string) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${from} to ${to}`)
    .transform(Number)
    .pipe(z.int().min(from, `must be from ${from} to ${to}`).max(to, `must be from ${from} to ${to}`))
    .default(byDefault)
    .meta({ description: about, type: 'integer', minimum: from, maximum: to, default: byDefault });

export const flagInQuery = (about: string) =>
  z
    .enum(['true', 'false'], 'must be true or false')
    .transform((text) => text === 'true')
    .default(false)
    .meta({ description: about, type: 'boolean', default: false });

export const itemsInQuery = wholeInQuery(1, LIMIT_MAX, LIMIT_DEFAULT, 'How many items at most');

export const categoryInQuery = idText('Only items of this main category').optional();

/** A status without a body. */
export const noBody = (about: string) => z.undefined().meta({ description: about });

/** 304, for a response with an ETag. */
export const unchanged = noBody('The asker has it: it is as If-None-Match says');

const timeText = (about: string) => z.string().meta({ description: about, format: 'date-time' });

export const stale = z
  .boolean()
  .optional()
  .describe('true: the node has received no updates for some seconds; the header `Age` has the number');

export const asOf = timeText('Event time up to which events are taken in').optional();
export const windowTime = timeText('Event time').optional();

/** The catalogue fields of an item. */
export const shownItem = {
  title: z.string().optional().describe('From the item catalogue'),
  category: z.string().optional(),
  brand: z.string().optional(),
  price: z.number().optional(),
};

export const timeOf = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString();
