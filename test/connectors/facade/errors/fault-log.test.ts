import { expect, it } from 'vitest';
import { FaultLog } from '../../../../connectors/facade/errors/fault-log.js';
import type { Logger } from '../../../../runtime/contract/ports.js';

it('faults are logged at most once a second, with how many were not', () => {
  const clock = { now: 0, monotonicMs: () => clock.now };
  const logged: object[] = [];
  const ignore = (): void => undefined;
  const logger: Logger = { debug: ignore, info: ignore, warn: ignore, error: (fields) => logged.push(fields) };
  const log = new FaultLog('a gRPC call', logger, clock);
  for (let i = 0; i < 5; i++) log.log('m', `r${i}`, new Error('bug'));
  clock.now = 1000;
  log.log('m', 'r5', new Error('bug'));
  expect(logged).toMatchObject([
    { request: 'm', requestId: 'r0', unlogged: 0 },
    { request: 'm', requestId: 'r5', unlogged: 4 },
  ]);
});
