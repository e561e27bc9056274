import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { CallDesk } from '../../../../connectors/grpc/server/call-desk.js';
import { CALL_LIMITS } from '../../../../connectors/grpc/server/call-limits.js';
import type { Logger } from '../../../../runtime/contract/ports.js';

function desk(clock: { now: number }): { desk: CallDesk; logged: object[] } {
  const logged: object[] = [];
  const ignore = (): void => undefined;
  const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: (fields) => logged.push(fields) };
  return {
    desk: new CallDesk(CALL_LIMITS, { nowMs: () => clock.now, monotonicMs: () => clock.now }, logger),
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
    expect(one.faultOfCaller(caller(1000))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    expect(one.faultOfCaller(caller(new Date(999)))).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
  });

  it('that was cancelled ended by its deadline or by its client', () => {
    const { desk: one } = desk({ now: 1000 });
    expect(one.codeOfCancelled(caller(Infinity))).toBe(status.CANCELLED);
    expect(one.codeOfCancelled(caller(1500))).toBe(status.CANCELLED);
    expect(one.codeOfCancelled(caller(1001))).toBe(status.DEADLINE_EXCEEDED);
  });
});

describe('errors', () => {
  it('are logged at most once a second, with how many were not', () => {
    const clock = { now: 0 };
    const { desk: one, logged } = desk(clock);
    for (let i = 0; i < 5; i++) one.log('m', `r${i}`, new Error('bug'));
    clock.now = 1000;
    one.log('m', 'r5', new Error('bug'));
    expect(logged).toMatchObject([
      { method: 'm', requestId: 'r0', unlogged: 0 },
      { method: 'm', requestId: 'r5', unlogged: 4 },
    ]);
  });
});
