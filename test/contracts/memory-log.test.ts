import { expect, it } from 'vitest';
import { utf8 } from '../../runtime/frames/bytes.js';
import { MemoryLog, matches } from '../support/memory-log.js';
import { type LogBed, logContract } from './log-contract.js';
import { transformContract } from './transform-contract.js';

const makeBed = async (): Promise<LogBed> => {
  const log = new MemoryLog({ nowMs: () => Date.now() });
  return {
    ...{ log, other: log },
    deleteStream: async (name) => {
      log.deleteStream(name);
    },
    stop: () => log.close(),
  };
};

logContract('in memory', makeBed);
transformContract('in memory', makeBed);

it.each([
  ['a.b', 'a.b', true],
  ['a.b', 'a.c', false],
  ['a.*', 'a.b', true],
  ['a.*', 'a', false],
  ['a.*', 'a.b.c', false],
  ['a.>', 'a.b.c', true],
  ['a.>', 'a', false],
  ['>', 'a.b', true],
  ['*.b.>', 'a.b.c', true],
  ['*.b.>', 'a.c.c', false],
])('%s fits %s: %s', (filter, subject, fits) => {
  expect(matches(filter, subject)).toBe(fits);
});

it('can be rolled back, as a server whose disk is put back', async () => {
  const log = new MemoryLog();
  await log.ensureStream({ name: 'S', subjects: ['s.>'], bytesMax: 1e6, dropsOldest: false, replicas: 1 });
  for (const text of ['1', '2', '3']) await log.publish('s.a', utf8(text));
  log.rollBack('S', 1);
  expect(await log.info('S')).toMatchObject({ firstSequence: 1, lastSequence: 1 });
  expect(await log.publish('s.a', utf8('x'), { expected: 1 })).toBe(2);
});
