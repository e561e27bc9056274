/** Why a request is refused: one description, which gRPC reports as a status with details and HTTP as problem details. */
import type { Any } from '@bufbuild/protobuf/wkt';
import { RivuletError } from '../../../runtime/contract/errors.js';

/** Names from google.rpc.Code. */
export type FaultCode =
  | 'CANCELLED'
  | 'UNKNOWN'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'OUT_OF_RANGE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'DATA_LOSS'
  | 'UNAUTHENTICATED';

export interface FieldViolation {
  /** Path of the field, as in the .proto: `user_id`; absent when the error concerns the request itself. */
  readonly field?: string;
  /** The error, and the valid values. */
  readonly description: string;
  /** For one event of several: its index in the request, from 0. */
  readonly index?: number;
  /** For an event: the rule that it breaks. */
  readonly rule?: string;
}

export interface ApiError {
  readonly code: FaultCode;
  readonly message: string;
  /** UPPER_SNAKE_CASE; clients may match it. */
  readonly reason: string;
  readonly violations?: readonly FieldViolation[];
  readonly retryAfterMs?: number;
  /** Machine-readable facts about the reason. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The client that has exhausted its quota. */
  readonly client?: string;
  /** Additional headers (in gRPC: trailers), for clients that do not read details. */
  readonly trailers?: Readonly<Record<string, string>>;
  /** An additional detail, for gRPC. */
  readonly also?: Any;
  /** The error behind it when it is the server's fault: for the log, never sent. */
  readonly error?: unknown;
}

/** When to retry after a refusal for load or for a temporary outage. */
const RETRY_AFTER_MS = 500;

export function invalidFields(violations: readonly FieldViolation[]): ApiError {
  const message = violations
    .map(({ field, description }) => (field === undefined ? description : `${field}: ${description}`))
    .join('; ');
  return { code: 'INVALID_ARGUMENT', message, reason: 'INVALID_FIELD', violations };
}

export const tooSlow = (msMax: number): ApiError => ({
  code: 'DEADLINE_EXCEEDED',
  message: `the request was not complete within ${msMax / 1000} s`,
  reason: 'REQUEST_TOO_SLOW',
});

export const tooLarge = (bytes: number, bytesMax: number): ApiError => ({
  code: 'RESOURCE_EXHAUSTED',
  message: `the request has ${bytes} bytes, and may have ${bytesMax}`,
  reason: 'REQUEST_TOO_LARGE',
});

export const itemUnknown = (item: string): ApiError => ({
  code: 'NOT_FOUND',
  message: `no event was about the item ${item}`,
  reason: 'ITEM_UNKNOWN',
});

const exhausted = (client: string, reason: string, message: string, retryAfterMs = RETRY_AFTER_MS): ApiError => ({
  ...{ code: 'RESOURCE_EXHAUSTED', message, reason, retryAfterMs, client },
});

export const tooManyCalls = (callsMax: number, client: string): ApiError =>
  exhausted(client, 'TOO_MANY_CALLS', `${callsMax} calls of this client are under way: wait for some to end`);

export const tooManyStreams = (streamsMax: number, client: string): ApiError =>
  exhausted(client, 'TOO_MANY_STREAMS', `${streamsMax} streams of this client are open: end some, or share them`);

export const tooMuchUnread = (bytesMax: number, client: string): ApiError =>
  exhausted(client, 'TOO_MUCH_HELD', `more than ${bytesMax} bytes are kept for this client: read the answers`);

export const tooFast = (perSecond: number, client: string, waitMs: number): ApiError =>
  exhausted(client, 'RATE_EXCEEDED', `this client may begin ${perSecond} calls per second: slow down`, waitMs);

/** As in RFC 6750: `www-authenticate` names the required credentials. */
export function unauthenticated(reason: string, message: string): ApiError {
  const description = message.replaceAll('…', '...').replaceAll(/[^\x20-\x7e]|["\\]/g, "'");
  const wrong = reason === 'TOKEN_MISSING' ? '' : `, error="invalid_token", error_description="${description}"`;
  const challenge = `Bearer realm="rivulet"${wrong}`;
  return { code: 'UNAUTHENTICATED', message, reason, trailers: { 'www-authenticate': challenge } };
}

/** For streams that only the client would end. */
export const STOPPING: ApiError = {
  code: 'UNAVAILABLE',
  message: 'the node stops: ask another, or this one when it is back',
  reason: 'NODE_STOPPING',
  retryAfterMs: RETRY_AFTER_MS,
};

const INTERNAL: ApiError = {
  code: 'INTERNAL',
  message: 'internal error, the log of the node says more',
  reason: 'INTERNAL',
};

/** The part of an error that a client sees: by name, when it can react; for bugs and internal errors only that one occurred. */
export function faultOf(error: unknown): ApiError {
  const known = error instanceof RivuletError ? error : undefined;
  switch (known?.reaction) {
    case 'poison':
      return { code: 'INVALID_ARGUMENT', message: known.message, reason: known.code };
    case 'transient':
      return { code: 'UNAVAILABLE', message: known.message, reason: known.code, retryAfterMs: RETRY_AFTER_MS };
    case 'fatal':
      return { ...INTERNAL, message: 'the node cannot go on, its log says why', reason: known.code, error };
    case 'bug':
    case undefined:
      return { ...INTERNAL, error };
  }
}
