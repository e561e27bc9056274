/** The crash tests can fail: with one rule broken, some seed says something else. */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { expect, it, vi } from 'vitest';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { Outbox } from '../../runtime/outbox.js';
import type { Log } from '../../runtime/ports.js';
import type { RivuletError } from '../../runtime/errors.js';
import { faultless, firstFailure, outcomeOf } from './crash-runs.js';
import { boundedJob, type Job, liveJob } from './simulated-jobs.js';

const SEEDS = Array.from({ length: 30 }, (_, i) => i + 1);

/** A log with one method of another kind. */
function changed(log: Log, change: Partial<Log>): Log {
  return Object.assign(Object.create(log) as Log, change);
}

/** Rule 6 broken: publishes are not fenced. */
const unfenced = (log: Log): Log => changed(log, { publish: (subject, data) => log.publish(subject, data) });

/** Rule 5 broken: what a subject's last message says is not looked at. */
const forgetful = (log: Log): Log =>
  changed(log, {
    last: async (stream, subject) => {
      const message = await log.last(stream, subject);
      if (message === undefined) return undefined;
      const envelope = fromBinary(EnvelopeSchema, message.data);
      const data = toBinary(
        EnvelopeSchema,
        create(EnvelopeSchema, { ...envelope, first: 0, sequence: 0, part: 0, lastPart: true }),
      );
      return { ...message, data };
    },
  });

const failing = (job: Job, changes: Parameters<typeof firstFailure>[2] = {}) => firstFailure(job, SEEDS, changes);

it.each([
  ['live', liveJob],
  ['bounded', boundedJob],
])('without the fence: %s', async (_, job) => {
  expect(await failing(job, { wrap: unfenced })).toBeDefined();
});

it.each([
  ['live', liveJob],
  ['bounded', boundedJob],
])('without rule 5: %s', async (_, job) => {
  expect(await failing(job, { wrap: forgetful })).toBeDefined();
});

it('with snapshots before the acks', async () => {
  vi.spyOn(Outbox.prototype, 'settled').mockResolvedValue();
  expect(await failing(boundedJob)).toBeDefined();
});

it('with mailboxes trimmed behind one owner’s snapshot while another’s is older: never other rows, but a loud end (rule 8)', async () => {
  const expected = await faultless(boundedJob);
  const ends = new Set<string>();
  for (const seed of SEEDS) {
    const outcome = await outcomeOf(boundedJob, seed, { trimsFreely: true }).catch((error: unknown) => error);
    if (outcome instanceof Error) ends.add((outcome as RivuletError).code);
    else expect(outcome, `seed ${seed}`).toEqual(expected);
  }
  expect(ends).toEqual(new Set(['LOG_GAP']));
});
