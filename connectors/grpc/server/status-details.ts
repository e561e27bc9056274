/**
 * Refusals in the form that every gRPC client can read: a status, with a google.rpc.Status in `grpc-status-details-bin` for programs.
 *
 *   BadRequest   the invalid fields, and how to correct each
 *   ErrorInfo    the reason as a constant, within the domain `rivulet`
 *   RetryInfo    how long to wait before the next try
 *   QuotaFailure the client and the limit that it has reached
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
} from '../../../proto/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../../../proto/gen/google/rpc/status_pb.js';
import { cutText } from '../../facade/errors/cut-text.js';
import type { ApiError, FieldViolation } from '../../facade/errors/fault.js';
import { asBuffer } from './service-definition.js';

export const REQUEST_ID_KEY = 'x-request-id';
const DETAILS_KEY = 'grpc-status-details-bin';
const DOMAIN = 'rivulet';
/** Headers have no flow control, and proxies truncate long ones. */
const MESSAGE_CHARS_MAX = 500;
const VIOLATIONS_MAX = 16;

export const malformed = (typeName: string): ApiError => ({
  code: 'INVALID_ARGUMENT',
  message: `the bytes are not a ${typeName}, or a text is not UTF-8: generate the client from the .proto of this version`,
  reason: 'MALFORMED_REQUEST',
});

export const TOO_LATE: ApiError = {
  code: 'DEADLINE_EXCEEDED',
  message: 'the deadline had passed before the call was taken up',
  reason: 'DEADLINE_PASSED',
};

/** The form of an error that grpc-js accepts. */
export interface Refusal {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
  /** As in Fault. */
  readonly error?: unknown;
}

export function refusal(fault: ApiError): Refusal {
  const { reason, metadata = {} } = fault;
  const code = status[fault.code];
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

/** The same refusal, with the id of its request; also for one that a library made. */
export function withRequestId(error: Partial<Refusal> & { readonly message?: string }, requestId: string): Refusal {
  const { code = status.UNKNOWN } = error;
  // A library may repeat its input: a status that is too long for headers would never reach the client.
  const details = clean(error.details ?? error.message ?? '');
  const metadata = error.metadata?.clone() ?? new Metadata();
  const encoded = metadata.get(DETAILS_KEY)[0];
  const start =
    encoded instanceof Uint8Array ? encoded : toBinary(StatusSchema, create(StatusSchema, { code, message: details }));
  const info = anyPack(RequestInfoSchema, create(RequestInfoSchema, { requestId }));
  // Concatenated protobuf messages are one message with the lists of both.
  const end = toBinary(StatusSchema, create(StatusSchema, { details: [info] }));
  metadata.set(DETAILS_KEY, Buffer.concat([start, end]));
  metadata.set(REQUEST_ID_KEY, requestId);
  return { code, details, metadata };
}

/** The details of a status, for clients; all absent when the server sent none, or none that can be read. */
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

/** Details may come from a proxy: unreadable ones are absent. */
function readable<T>(read: () => T | undefined): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** A message that fits a header: short, and without lone surrogates, on which grpc-js throws. */
function clean(message: string): string {
  const short = message.length > MESSAGE_CHARS_MAX ? `${cutText(message, MESSAGE_CHARS_MAX - 1)}…` : message;
  return Buffer.from(short, 'utf8').toString('utf8');
}
