/** Route schemas are zod schemas: Fastify validates requests by them, and handler types derive from them. */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifySchemaCompiler,
  FastifyTypeProvider,
  RawServerDefault,
} from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import { invalidFields } from '../../facade/errors/fault.js';
import { Refused } from './problem.js';
import { shownValue } from './shown-value.js';

export interface ZodProvider extends FastifyTypeProvider {
  readonly validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
  /** Responses are not validated here; a test checks them against their schemas. */
  readonly serializer: unknown;
}

export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodProvider>;

/** The part of a request that a schema is for. */
const PLACES: Readonly<Record<string, string>> = {
  body: 'body',
  params: 'path',
  querystring: 'query',
  headers: 'header',
};

/** Refuses with all errors, each by the name of its field. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> = ({ schema, httpPart }) => {
  const place = PLACES[httpPart ?? ''] ?? '';
  // Most requests have no query: the result for an empty one is computed once.
  const fromNone = httpPart === 'querystring' ? schema.safeParse({}) : undefined;
  return (given: unknown) => {
    const read = fromNone?.success === true && isEmpty(given) ? fromNone : schema.safeParse(given);
    return read.success ? { value: read.data } : { error: new Refused(faultIn(read.error, given, place)) };
  };
};

function isEmpty(given: unknown): boolean {
  for (const _ in given as object) return false;
  return true;
}

function faultIn({ issues }: z.ZodError, given: unknown, place: string) {
  return invalidFields(
    issues.flatMap((issue) => {
      if (issue.code === 'unrecognized_keys') {
        return issue.keys.map((key) => ({
          field: pathOf([...issue.path, key], place),
          description: unknownKey(place),
        }));
      }
      const value = issue.path.reduce<unknown>(
        (at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key],
        given,
      );
      if (place === 'query' && Array.isArray(value)) {
        return [{ field: pathOf(issue.path, place), description: 'is given twice: give it once' }];
      }
      const description =
        value === undefined ? 'is required' : `is ${shownValue(value, SHOWN_CHARS_MAX)}: ${issue.message}`;
      return [{ field: pathOf(issue.path, place), description }];
    }),
  );
}

const pathOf = (path: readonly PropertyKey[], place: string): string => path.map(String).join('.') || place;

const unknownKey = (place: string): string =>
  `is not known${place === '' ? '' : ` in the ${place}`}: is it a slip? See /docs`;

const SHOWN_CHARS_MAX = 64;
