/** The error of a call that did not get a response. */
import type { ErrorCode } from '../../../runtime/contract/error-codes.js';
import { type Metadata, status } from '@grpc/grpc-js';
import {
  type PublishEventsResponse,
  PublishEventsResponseSchema,
} from '../../../proto/gen/rivulet/v1/event_service_pb.js';
import { type Reaction, RivuletError } from '../../../runtime/contract/errors.js';
import { type FieldViolation } from '../../facade/errors/fault.js';
import { readDetails } from '../server/status-details.js';

/** Progress of an interrupted PublishEvents call. */
export interface PublishedSoFar {
  readonly accepted: number;
  readonly rejected: number;
  /** Index of the first event that was neither stored nor rejected. */
  readonly resendFrom: number;
}

/** Its `code` is `GRPC_` and the name of the status: GRPC_UNAVAILABLE, GRPC_INVALID_ARGUMENT… */
export class CallError extends RivuletError {
  readonly status: string;
  /** UPPER_SNAKE_CASE, from the node; absent when something other than a node responded. */
  readonly reason: string | undefined;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;
  /** The id of the call in the node's log. */
  readonly requestId: string | undefined;
  readonly published: PublishedSoFar | undefined;

  constructor(
    cause: { readonly code: status; readonly details: string; readonly metadata?: Metadata },
    address: string,
  ) {
    const name = status[cause.code];
    super(reactionTo(cause.code), `GRPC_${name}` as ErrorCode, cause.details, {
      cause,
      ...hintFor(cause.code, address),
    });
    const details = readDetails(cause.metadata);
    this.status = name;
    this.reason = details.reason;
    this.violations = details.violations;
    this.retryAfterMs = details.retryAfterMs;
    this.requestId = details.requestId;
    const summary = details.find(PublishEventsResponseSchema);
    this.published = summary && soFar(summary, details.metadata['resend_from']);
  }
}

const soFar = ({ accepted, rejected }: PublishEventsResponse, resendFrom: string | undefined): PublishedSoFar => ({
  accepted: Number(accepted),
  rejected: Number(rejected),
  resendFrom: Number(resendFrom ?? accepted + rejected),
});

function reactionTo(code: status): Reaction {
  switch (code) {
    case status.UNAVAILABLE:
    case status.RESOURCE_EXHAUSTED:
    case status.DEADLINE_EXCEEDED:
    case status.ABORTED:
    case status.CANCELLED:
      return 'transient';
    case status.INVALID_ARGUMENT:
    case status.OUT_OF_RANGE:
    case status.NOT_FOUND:
    case status.ALREADY_EXISTS:
      return 'poison';
    case status.UNIMPLEMENTED:
    case status.UNAUTHENTICATED:
    case status.PERMISSION_DENIED:
    case status.FAILED_PRECONDITION:
      return 'fatal';
    case status.OK:
    case status.UNKNOWN:
    case status.INTERNAL:
    case status.DATA_LOSS:
      return 'bug';
  }
}

function hintFor(code: status, address: string): { hint?: string } {
  if (code === status.UNAVAILABLE)
    return { hint: `does a node listen on ${address}? \`rivulet start\` or \`rivulet demo\` starts one` };
  if (code === status.UNAUTHENTICATED)
    return { hint: `what listens on ${address} wants a token: --token-file or RIVULET_TOKEN` };
  if (code === status.UNIMPLEMENTED)
    return { hint: `what listens on ${address} is no Rivulet node, or one of another version` };
  return {};
}
