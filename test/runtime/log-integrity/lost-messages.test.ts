/** What an actor makes of a log that lacks publishers' messages, or holds what nobody of the pipeline has written. */
import { create, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { recordLoss } from '../../../runtime/actor/quarantine.js';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { CLOCK, subjectOf } from '../../../runtime/contract/graph.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { ActorBed, line, ONE } from '../actor/actor-bed.js';
import { liveToys } from '../toy-stages.js';

const read = (bed: ActorBed) => ({ log: bed.log, stage: { id: 'read' }, partition: 0 });

/** Six lines, of which two are taken in; then some are lost. */
async function withLost(...lost: readonly number[]) {
  const bed = await ActorBed.make(liveToys({ partitions: ONE }));
  const store = new MemoryStore();
  await bed.publish(line(1), line(2));
  const first = bed.startApart('read', 0, { store });
  await bed.until(() => first.status.sequence === 2);
  await first.supervisor.stop();
  await bed.until(() => first.ended());
  await bed.publish(...[3, 4, 5, 6].map((id) => line(id)));
  for (const sequence of lost) bed.log.lose('RIVULET_READ', sequence);
  return { bed, store };
}

/** A store that does not hold it is refused; then it is noted as gone. */
async function isMissedUntilGone(bed: ActorBed, store: MemoryStore, sequence: number): Promise<void> {
  const refused = bed.startApart('read', 0, { store });
  await bed.until(() => refused.ended());
  expect(refused.failure()).toMatchObject({
    message: `RIVULET_READ does not fit read.0: expected message ${sequence}, but it is missing`,
  });
  await recordLoss(read(bed), [[sequence, sequence]]);
}

it.each([3, 4])('a lost message, %i, is named, and nothing behind it is taken in', async (lost) => {
  const { bed, store } = await withLost(lost);
  const { failure, ended } = bed.start('read', 0, { store });
  await bed.until(() => ended());
  expect(failure()).toMatchObject({
    ...{ reaction: 'fatal', code: 'LOG_GAP', hint: expect.stringContaining('rivulet repair') },
    message: `RIVULET_READ does not fit read.0: expected message ${lost}, but it is missing`,
  });
  expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2]);
});

it('what is known to be gone is left out, and no more', async () => {
  const { bed, store } = await withLost(3, 5);
  await recordLoss(read(bed), [[5, 5]]);
  await isMissedUntilGone(bed, store, 3);
  const { failure } = bed.start('read', 0, { store });
  await bed.quiet();
  expect(failure()).toBeUndefined();
  expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2, 4, 6]);
});

it.each([
  ['what was read', 0],
  ['more than was read', 1],
])('a stream that was purged of %s goes on behind it, with a new line of the clock', async (_, unread) => {
  const bed = await ActorBed.make(liveToys({ partitions: ONE }));
  const store = new MemoryStore();
  const clock = subjectOf('read', 0, CLOCK, 0);
  const tick = (expected: number): Promise<number> =>
    bed.log.publish(clock, toBinary(EnvelopeSchema, create(EnvelopeSchema, { tickMs: 1, lastPart: true })), {
      expected,
    });
  await bed.publish(line(1));
  const last = await tick(0);
  const first = bed.startApart('read', 0, { store });
  await bed.until(() => first.status.sequence === last);
  await first.supervisor.stop();
  await bed.until(() => first.ended());
  for (let n = 0; n < unread; n++) await bed.publish(line(2));
  await bed.log.purge('RIVULET_READ', '>', 9);
  await tick(0);
  await bed.publish(line(3));
  if (unread > 0) await isMissedUntilGone(bed, store, 3);
  const { failure } = bed.start('read', 0, { store });
  await bed.quiet();
  expect(failure()).toBeUndefined();
  expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 3]);
});

it('what was published for a message before it was lost stays published, once', async () => {
  const { bed, store } = await withLost();
  const first = bed.startApart('read', 0, { store, tuning: { frameMessages: 10, snapshotEveryMs: 1e9 } });
  await bed.until(() => first.status.sequence === 6 && first.status.unacknowledged === 0);
  bed.log.lose('RIVULET_READ', 6);
  await recordLoss(read(bed), [[6, 6]]);
  await bed.publish(line(7));
  const { failure, status } = bed.start('read', 0, { store });
  await bed.until(() => status.sequence === 7);
  await bed.quiet();
  expect(failure()).toBeUndefined();
  expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7]);
});

it.each([
  ['is no message at all', utf8('hello there')],
  ['says nothing', new Uint8Array()],
  [
    'covers outputs that were published',
    toBinary(EnvelopeSchema, create(EnvelopeSchema, { first: 9, sequence: 9, lastPart: true })),
  ],
])('a message of a stranger on a line that %s is skipped, by its reader and its writer, and told', async (_, data) => {
  const { bed, store } = await withLost();
  const subject = 'rivulet.sum.0.read.0';
  const kept = new MemoryStore();
  const sum = bed.startApart('sum', 0, { store: kept });
  await bed.until(() => bed.messages('rank').length > 0);
  // Before the writer starts, while it runs, and while it has something to say.
  await bed.log.publish(subject, data);
  const before = await bed.log.publish('rivulet.sum.0.nobody.0', data);
  const read = bed.start('read', 0, { store });
  await bed.until(() => sum.status.sequence >= before && read.status.state === 'running');
  await bed.log.publish(subject, data);
  const last = await bed.log.publish(subject, data);
  await bed.publish(line(7));
  await bed.until(() => sum.status.sequence > last);
  await bed.quiet();
  expect(bed.rows('sum').map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(sum.status).toMatchObject({ restarts: 0, foreign: { messages: 4, last: { subject, sequence: last } } });
  expect([read.status.restarts, read.failure(), sum.failure()]).toEqual([0, undefined, undefined]);
  await sum.supervisor.stop();
  await bed.until(() => sum.ended());
  // It is trimmed as far as its writer's last message, and goes on from there.
  await bed.log.publish(subject, data);
  const again = bed.start('sum', 0, { store: kept });
  await bed.publish(line(8));
  await bed.until(() => again.ended() || bed.rows('sum').some(({ n }) => n === 8));
  await bed.quiet();
  expect([again.failure(), read.failure()]).toEqual([undefined, undefined]);
});
