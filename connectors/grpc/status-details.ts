/**
 * Refusals as every gRPC client can read them: a status, and in `grpc-status-details-bin` a google.rpc.Status with what a program needs.
 *
 *   BadRequest   which fields are wrong, and how to mend each
 *   ErrorInfo    the reason as a constant, within the domain `rivulet`
 *   RetryInfo    how long to wait before the next try
 *   QuotaFailure which client has used up what
 *   RequestInfo  the id of the request, as in the log
 */
import { create, type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type Any, anyPack, anyUnpack, durationFromMs, durationMs } from '@bufbuild/protobuf/wkt';
import { Metadata, status } from '@grpc/grpc-js';
import {
  BadRequestSchema,
  ErrorInfoSchema,
  QuotaFailureSchema,
  RequestInfoSchema,
  RetryInfoSchema,
} from '../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../proto/gen/google/rpc/status_pb.js';
import { RivuletError } from '../../runtime/errors.js';
import { asBuffer } from './service-definition.js';

export const REQUEST_ID_KEY = 'x-request-id';
const DETAILS_KEY = 'grpc-status-details-bin';
const DOMAIN = 'rivulet';
/** Headers have no flow control, and proxies cut long ones off. */
const MESSAGE_CHARS_MAX = 500;
const VIOLATIONS_MAX = 16;
/** When to come back after a refusal that has to do with load or with the world away for a moment. */
const RETRY_AFTER_MS = 500;

export interface FieldViolation {
  /** Path of the field, as in the .proto: `user_id`. */
  readonly field: string;
  /** What is wrong, and what would be right. */
  readonly description: string;
}

/** Why a call is refused. */
export interface Fault {
  readonly code: status;
  readonly message: string;
  /** UPPER_SNAKE_CASE; programs may match it. */
  readonly reason: string;
  readonly violations?: readonly FieldViolation[];
  readonly retryAfterMs?: number;
  /** Facts for programs that belong to the reason. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** The client that has used up what it may. */
  readonly client?: string;
  /** Trailers of their own, for clients that read no details. */
  readonly trailers?: Readonly<Record<string, string>>;
  readonly also?: Any;
  /** What was thrown, when that is ours to mend: for the log, never sent. */
  readonly error?: unknown;
}

export function invalidFields(violations: readonly FieldViolation[]): Fault {
  const message = violations.map(({ field, description }) => `${field}: ${description}`).join('; ');
  return { code: status.INVALID_ARGUMENT, message, reason: 'INVALID_FIELD', violations };
}

export const malformed = (typeName: string): Fault => ({
  code: status.INVALID_ARGUMENT,
  message: `the bytes are not a ${typeName}, or a text is not UTF-8: generate the client from the .proto of this version`,
  reason: 'MALFORMED_REQUEST',
});

export const tooSlow = (msMax: number): Fault => ({
  code: status.DEADLINE_EXCEEDED,
  message: `the request was not complete within ${msMax / 1000} s`,
  reason: 'REQUEST_TOO_SLOW',
});

const exhausted = (client: string, reason: string, message: string, retryAfterMs = RETRY_AFTER_MS): Fault => ({
  ...{ code: status.RESOURCE_EXHAUSTED, message, reason, retryAfterMs, client },
});

export const tooManyCalls = (callsMax: number, client: string): Fault =>
  exhausted(client, 'TOO_MANY_CALLS', `${callsMax} calls of this client are under way: wait for some to end`);

export const tooManyStreams = (streamsMax: number, client: string): Fault =>
  exhausted(client, 'TOO_MANY_STREAMS', `${streamsMax} streams of this client are open: end some, or share them`);

export const tooMuchHeld = (bytesMax: number, client: string): Fault =>
  exhausted(
    client,
    'TOO_MUCH_HELD',
    `more than ${bytesMax} bytes are kept for this client: end the messages that it has begun, and read its answers`,
  );

export const tooFast = (perSecond: number, client: string, waitMs: number): Fault =>
  exhausted(client, 'RATE_EXCEEDED', `this client may begin ${perSecond} calls per second: slow down`, waitMs);

/** As RFC 6750 has it for HTTP: what to bring is in `www-authenticate`. */
export function unauthenticated(reason: string, message: string): Fault {
  const description = message.replaceAll(/[^\x20-\x7e]|["\\]/g, "'");
  const wrong = reason === 'TOKEN_MISSING' ? '' : `, error="invalid_token", error_description="${description}"`;
  const challenge = `Bearer realm="rivulet"${wrong}`;
  return { code: status.UNAUTHENTICATED, message, reason, trailers: { 'www-authenticate': challenge } };
}

/** For streams that only the client would end. */
export const STOPPING: Fault = {
  code: status.UNAVAILABLE,
  message: 'the node stops: ask another, or this one when it is back',
  reason: 'GRPC_STOPPING',
  retryAfterMs: RETRY_AFTER_MS,
};

export const TOO_LATE: Fault = {
  code: status.DEADLINE_EXCEEDED,
  message: 'the deadline had passed before the call was taken up',
  reason: 'DEADLINE_PASSED',
};

const INTERNAL: Fault = {
  code: status.INTERNAL,
  message: 'internal error, the log of the node says more',
  reason: 'INTERNAL',
};

/** What a client is told of an error: what it can react to by name; of bugs and of our own disorder only that there is one. */
export function faultOf(error: unknown): Fault {
  const known = error instanceof RivuletError ? error : undefined;
  switch (known?.reaction) {
    case 'poison':
      return { code: status.INVALID_ARGUMENT, message: known.message, reason: known.code };
    case 'transient':
      return { code: status.UNAVAILABLE, message: known.message, reason: known.code, retryAfterMs: RETRY_AFTER_MS };
    case 'fatal':
      return { ...INTERNAL, message: 'the node cannot go on, its log says why', reason: known.code, error };
    case 'bug':
    case undefined:
      return { ...INTERNAL, error };
  }
}

/** What grpc-js takes as an error. */
export interface Refusal {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
  /** As in Fault. */
  readonly error?: unknown;
}

export function refusal(fault: Fault): Refusal {
  const { code, reason, metadata = {} } = fault;
  const message = clean(fault.message);
  const details: Any[] = [];
  if (fault.violations !== undefined) {
    const fieldViolations = fault.violations.slice(0, VIOLATIONS_MAX).map((one) => ({ ...one }));
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations })));
  }
  details.push(anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: DOMAIN, metadata })));
  if (fault.retryAfterMs !== undefined) {
    const retryDelay = durationFromMs(fault.retryAfterMs);
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  if (fault.client !== undefined) {
    const violations = [{ subject: fault.client, description: message }];
    details.push(anyPack(QuotaFailureSchema, create(QuotaFailureSchema, { violations })));
  }
  if (fault.also !== undefined) details.push(fault.also);
  const trailer = new Metadata();
  for (const [name, value] of Object.entries(fault.trailers ?? {})) trailer.set(name, value);
  trailer.set(DETAILS_KEY, asBuffer(toBinary(StatusSchema, create(StatusSchema, { code, message, details }))));
  return { code, details: message, metadata: trailer, ...('error' in fault ? { error: fault.error } : {}) };
}

/** The same refusal, with the id of its request; also of one that a library made. */
export function withRequestId(error: Partial<Refusal> & { readonly message?: string }, requestId: string): Refusal {
  const { code = status.UNKNOWN, details = error.message ?? '' } = error;
  const metadata = error.metadata?.clone() ?? new Metadata();
  const said = metadata.get(DETAILS_KEY)[0];
  const start =
    said instanceof Uint8Array ? said : toBinary(StatusSchema, create(StatusSchema, { code, message: details }));
  const info = anyPack(RequestInfoSchema, create(RequestInfoSchema, { requestId }));
  // Bytes of protobuf messages that follow each other are one message with the lists of both.
  const end = toBinary(StatusSchema, create(StatusSchema, { details: [info] }));
  metadata.set(DETAILS_KEY, Buffer.concat([start, end]));
  metadata.set(REQUEST_ID_KEY, requestId);
  return { code, details, metadata };
}

/** What a status carries, for clients; all absent when the server sent no details, or none that can be read. */
export interface ReadDetails {
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  readonly requestId: string | undefined;
  /** The first detail of a type, if there is one. */
  find<D extends DescMessage>(schema: D): MessageShape<D> | undefined;
}

export function readDetails(metadata: Metadata | undefined): ReadDetails {
  const packed = detailsIn(metadata);
  const find = <D extends DescMessage>(schema: D): MessageShape<D> | undefined => {
    for (const any of packed) {
      const message = readable(() => anyUnpack(any, schema));
      if (message !== undefined) return message;
    }
    return undefined;
  };
  const info = find(ErrorInfoSchema);
  const delay = find(RetryInfoSchema)?.retryDelay;
  return {
    reason: info?.reason,
    metadata: info?.metadata ?? {},
    violations: find(BadRequestSchema)?.fieldViolations ?? [],
    retryAfterMs: delay === undefined ? undefined : durationMs(delay),
    requestId: find(RequestInfoSchema)?.requestId,
    find,
  };
}

function detailsIn(metadata: Metadata | undefined): readonly Any[] {
  const value = metadata?.get(DETAILS_KEY)[0];
  return value instanceof Uint8Array ? (readable(() => fromBinary(StatusSchema, value).details) ?? []) : [];
}

/** Details come from whoever answered, a proxy maybe: what cannot be read is absent. */
function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A message that fits a header: short, and without the half characters that grpc-js throws on. */
function clean(message: string): string {
  const short = message.length > MESSAGE_CHARS_MAX ? `${message.slice(0, MESSAGE_CHARS_MAX - 1)}…` : message;
  return Buffer.from(short, 'utf8').toString('utf8');
}
