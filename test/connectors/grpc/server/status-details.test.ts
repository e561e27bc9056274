import { fromBinary } from '@bufbuild/protobuf';
import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { faultOf, invalidFields, tooManyCalls } from '../../../../connectors/facade/errors/fault.js';
import { readDetails, refusal } from '../../../../connectors/grpc/server/status-details.js';
import { StatusSchema } from '../../../../proto/gen/google/rpc/status_pb.js';
import { fatal, poison, transient } from '../../../../runtime/contract/errors.js';

const limit = { field: 'limit', description: 'is 101, must be from 1 to 100' };

describe('a refusal', () => {
  it('carries a google.rpc.Status whose details have the names that other languages know', () => {
    const { code, details, metadata } = refusal(invalidFields([limit]));
    expect([code, details]).toEqual([status.INVALID_ARGUMENT, 'limit: is 101, must be from 1 to 100']);
    const said = fromBinary(StatusSchema, metadata.get('grpc-status-details-bin')[0] as Buffer);
    expect(said).toMatchObject({ code, message: details });
    expect(said.details.map(({ typeUrl }) => typeUrl)).toEqual([
      'type.googleapis.com/google.rpc.BadRequest',
      'type.googleapis.com/google.rpc.ErrorInfo',
    ]);
  });

  it('can be read back', () => {
    expect(readDetails(refusal(invalidFields([limit])).metadata)).toMatchObject({
      reason: 'INVALID_FIELD',
      violations: [limit],
      retryAfterMs: undefined,
    });
    expect(readDetails(refusal(tooManyCalls(7, 'token:ann')).metadata)).toMatchObject({
      reason: 'TOO_MANY_CALLS',
      retryAfterMs: 500,
    });
  });

  it('stays short, and cuts no character in two: grpc-js could not send it', () => {
    const { details } = refusal(faultOf(poison('LOG_UNREACHABLE', `${'x'.repeat(498)}😀${'x'.repeat(9999)}`)));
    expect(details.length).toBe(499);
    expect(() => encodeURI(details)).not.toThrow();
  });
});

describe('an error', () => {
  it.each([
    [
      'poison',
      poison('LOG_MESSAGE_SIZE', 'the event is too large'),
      'INVALID_ARGUMENT',
      'LOG_MESSAGE_SIZE',
      /too large/,
    ],
    [
      'transient',
      transient('LOG_UNREACHABLE', 'the log is unreachable'),
      'UNAVAILABLE',
      'LOG_UNREACHABLE',
      /the log is unreachable/,
    ],
    ['fatal', fatal('LOG_BEHIND', 'nats://secret'), 'INTERNAL', 'LOG_BEHIND', /^the node cannot go on/],
    ['a bug', new TypeError('secret'), 'INTERNAL', 'INTERNAL', /^internal error/],
    ['anything', 'secret', 'INTERNAL', 'INTERNAL', /^internal error/],
  ])('that is %s has its status, and says no more than it may', (_, error, code, reason, message) => {
    const fault = faultOf(error);
    expect([fault.code, fault.reason]).toEqual([code, reason]);
    expect(fault.message).toMatch(message);
    expect(fault.message).not.toMatch(/secret/);
    expect(fault.retryAfterMs).toBe(code === 'UNAVAILABLE' ? 500 : undefined);
  });
});

describe('details from elsewhere', () => {
  const nothing = { reason: undefined, metadata: {}, violations: [], retryAfterMs: undefined };

  it('are absent when there are none', () => {
    expect(readDetails(undefined)).toMatchObject(nothing);
    expect(readDetails(new Metadata())).toMatchObject(nothing);
  });

  it('are absent when they cannot be read', () => {
    const metadata = new Metadata();
    metadata.set('grpc-status-details-bin', Buffer.from([0xff, 0xff, 0xff]));
    expect(readDetails(metadata)).toMatchObject(nothing);
  });
});
