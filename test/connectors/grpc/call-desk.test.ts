import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { CallDesk } from '../../../connectors/grpc/call-desk.js';
import { CALL_LIMITS } from '../../../connectors/grpc/call-limits.js';
import type { EndedCall } from '../../../connectors/grpc/ports.js';
import { transient } from '../../../runtime/errors.js';
import type { Logger } from '../../../runtime/ports.js';

function desk(clock: { now: number }): { desk: CallDesk; calls: EndedCall[]; logged: object[] } {
  const [calls, logged]: [EndedCall[], object[]] = [[], []];
  const ignore = (): void => undefined;
  const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: (fields) => logged.push(fields) };
  return {
    desk: new CallDesk(CALL_LIMITS, { nowMs: () => clock.now }, (call) => calls.push(call), logger),
    calls,
    logged,
  };
}

const caller = (deadline: Date | number): { getPeer(): string; getDeadline(): Date | number } => ({
  getPeer: () => '192.0.2.1:1',
  getDeadline: () => deadline,
});

describe('a call', () => {
  it('is not taken up after its deadline', () => {
    const { desk: one } = desk({ now: 1000 });
    expect(one.faultOfCaller(caller(Infinity))).toBeUndefined();
    expect(one.faultOfCaller(caller(1001))).toBeUndefined();
    expect(one.faultOfCaller(caller(1000))).toMatchObject({ code: status.DEADLINE_EXCEEDED });
    expect(one.faultOfCaller(caller(new Date(999)))).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it('that was cancelled ended by its deadline or by its client', () => {
    const { desk: one } = desk({ now: 1000 });
    expect(one.codeOfCancelled(caller(Infinity))).toBe(status.CANCELLED);
    expect(one.codeOfCancelled(caller(1500))).toBe(status.CANCELLED);
    expect(one.codeOfCancelled(caller(1001))).toBe(status.DEADLINE_EXCEEDED);
  });

  it('is told by the name of its status', () => {
    const { desk: one, calls } = desk({ now: 0 });
    one.ended('a.B/C', status.RESOURCE_EXHAUSTED, performance.now());
    expect(calls).toEqual([{ method: 'a.B/C', code: 'RESOURCE_EXHAUSTED', ms: expect.any(Number) }]);
  });
});

describe('errors', () => {
  it('are logged when they are ours to mend, at most once a second, with how many were not', () => {
    const clock = { now: 0 };
    const { desk: one, logged } = desk(clock);
    one.faultOf('m', transient('LOG_AWAY', 'away'));
    expect(logged).toEqual([]);
    for (let i = 0; i < 5; i++) one.faultOf('m', new Error('bug'));
    clock.now = 1000;
    one.faultOf('m', new Error('bug'));
    expect(logged).toMatchObject([
      { method: 'm', unlogged: 0 },
      { method: 'm', unlogged: 4 },
    ]);
  });
});
