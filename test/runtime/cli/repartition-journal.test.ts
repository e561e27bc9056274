/** Which journal of a repartition is believed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import type { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { brokenOff, type Journal, type Step, writeJournal } from '../../../runtime/cli/repartition/journal.js';

const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-journal-'));
afterAll(() => {
  rmSync(dataDir, { recursive: true });
});

const of = (step: Step, id = 'this'): Journal => ({
  id,
  from: { partitions: 2, chaining: 'off' },
  to: { partitions: 3, chaining: 'on' },
  step,
});
const marked = (mark: Journal | undefined): StreamArchive =>
  ({
    find: () => Promise.resolve(mark === undefined ? undefined : { config: { description: JSON.stringify(mark) } }),
  }) as unknown as StreamArchive;

it.each<[string, Step, Journal | undefined, boolean]>([
  ['at the same step', 'swap', of('swap'), true],
  ['one step ahead', 'streams', of('swap'), true],
  ['behind it, since NATS was put back', 'swap', of('streams'), false],
  ['far ahead, since the data directory was', 'state', of('swap'), false],
  ['of another repartition', 'swap', of('swap', 'other'), false],
  ['not there', 'swap', undefined, false],
])('with its mark %s', async (_, step, mark, isBelieved) => {
  writeJournal(dataDir, of(step));
  expect(await brokenOff(dataDir, marked(mark))).toEqual({ journal: isBelieved ? of(step) : undefined, mark });
});
