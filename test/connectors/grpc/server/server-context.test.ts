import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { ServerContext, type Caller } from '../../../../connectors/grpc/server/server-context.js';
import { CALL_LIMITS } from '../../../../connectors/grpc/server/call-limits.js';

const context = new ServerContext({ limits: CALL_LIMITS, clock: { nowMs: () => 1000, monotonicMs: () => 1000 } });

const caller = (deadline: Date | number): Caller => ({
  getConnectionInfo: () => ({ remoteAddress: '192.0.2.1' }),
  getAuthContext: () => ({}),
  getDeadline: () => deadline,
});

describe('a call', () => {
  it('is not taken up after its deadline', () => {
    expect(context.faultOf(caller(Infinity))).toBeUndefined();
    expect(context.faultOf(caller(1001))).toBeUndefined();
    expect(context.faultOf(caller(1000))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(context.faultOf(caller(new Date(999)))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('that was cancelled ended by its deadline or by its client', () => {
    expect(context.codeOfCancelled(caller(Infinity))).toBe(status.CANCELLED);
    expect(context.codeOfCancelled(caller(1500))).toBe(status.CANCELLED);
    expect(context.codeOfCancelled(caller(1001))).toBe(status.DEADLINE_EXCEEDED);
  });
});
