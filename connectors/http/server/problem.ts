/**
 * Refusals over HTTP: problem details (RFC 9457), with the same reasons as in gRPC.
 *
 *   {type, title, status, detail, instance, reason, request_id, errors?: [{index?, field?, detail}], retry_after_seconds?, metadata?}
 */
import { STATUS_CODES } from 'node:http';
import { z } from 'zod';
import { cutText } from '../../facade/errors/cut-text.js';
import type { ApiError, FaultCode } from '../../facade/errors/fault.js';

export const PROBLEM_TYPE = 'application/problem+json';
const DETAIL_CHARS_MAX = 2_000;
const ERRORS_MAX = 100;

/** The mapping that google.rpc.Code documents. */
const STATUSES: Readonly<Record<FaultCode, number>> = {
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 408,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 409,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 405,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** A refusal, thrown to the error handler. `status`: where HTTP has a more precise one than the code's. */
export class Refused extends Error {
  readonly status: number;

  constructor(
    readonly fault: ApiError,
    status?: number,
  ) {
    super(fault.message);
    this.status = status ?? STATUSES[fault.code];
  }
}

const EXAMPLE = {
  ...{ type: 'about:blank', title: 'Bad Request', status: 400, detail: 'n: is "0": must be from 1 to 100' },
  ...{ instance: '/trending', reason: 'INVALID_FIELD', request_id: 'b1946ac9-2d7c-4a3e-9f0e-0c5d3f0a7e11' },
  errors: [{ field: 'n', detail: 'is "0": must be from 1 to 100' }],
};

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().describe('What is wrong, and how to correct it'),
    instance: z.string().describe('The path of the request'),
    reason: z.string().describe('UPPER_SNAKE_CASE; programs may match it'),
    request_id: z.string(),
    errors: z
      .array(
        z.object({
          index: z.int().optional().describe('Of one event of several, from 0'),
          field: z.string().optional().describe('Absent when it is the whole'),
          detail: z.string(),
          rule: z.string().optional().describe('The rule that the event breaks; programs may match it'),
        }),
      )
      .optional(),
    retry_after_seconds: z.number().optional(),
    metadata: z.record(z.string(), z.string()).optional(),
  })
  .meta({ id: 'Problem', description: 'Problem details (RFC 9457)', examples: [EXAMPLE] });

export type Problem = z.output<typeof problemSchema>;

export function problemOf({ fault, status }: Refused, instance: string, requestId: string): Problem {
  const { message, reason, violations, retryAfterMs, metadata } = fault;
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Refused',
    status,
    detail: message.length > DETAIL_CHARS_MAX ? `${cutText(message, DETAIL_CHARS_MAX - 1)}…` : message,
    instance,
    reason,
    request_id: requestId,
    ...(violations && {
      errors: violations.slice(0, ERRORS_MAX).map(({ index, field, description, rule }) => ({
        ...(index !== undefined && { index }),
        ...(field !== undefined && { field }),
        detail: description,
        ...(rule !== undefined && { rule }),
      })),
    }),
    ...(retryAfterMs !== undefined && { retry_after_seconds: retryAfterMs / 1000 }),
    ...(metadata && { metadata: { ...metadata } }),
  };
}

/** Headers of a refusal. */
export const headersOf = ({ retryAfterMs, trailers }: ApiError): Readonly<Record<string, string>> => ({
  ...trailers,
  ...(retryAfterMs !== undefined && { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
});

export const notFound = (reason: string, message: string): Refused =>
  new Refused({ code: 'NOT_FOUND', message, reason });
