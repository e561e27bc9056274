/**
 * Owners that were replaced: what they have not read may be trimmed by the present one, and publishers' messages have no chain that would show it.
 * They must find out before they say, or keep, anything that stands on less than all of the mailbox.
 */
import { ignoreElements } from 'rxjs';
import { beforeEach, expect, it } from 'vitest';
import { defineTopology, edge, source, topic } from '../../../runtime/contract/graph.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { deadLetters, input, stage } from '../../../runtime/contract/stage.js';
import { FailingLog } from '../../support/failing-log.js';
import { MemoryStore } from '../../../state/memory-store.js';
import { ActorBed, line } from './actor-bed.js';
import { liveToys, read, words } from '../toy-stages.js';
import { settled } from '../virtual-clock.js';

const ONE = { source: 1, user: 1, item: 1 };
let bed: ActorBed;
/** A copy is as new as the snapshot: nothing is kept for others. */
const everything = (): number => Infinity;

beforeEach(async () => {
  bed = await ActorBed.make(liveToys({ partitions: ONE }));
});

const trimmedTo = async (sequence: number): Promise<void> =>
  bed.until(() => (bed.log.messages('RIVULET_READ')[0]?.sequence ?? 0) >= sequence);

it('who opens an older snapshot of a mailbox that was trimmed is refused', async () => {
  bed.start('read', 0, { copied: everything });
  await bed.publish(line(1), line(2), line(3));
  await trimmedTo(3);
  const other = bed.startApart('read', 0, { store: new MemoryStore(), copied: everything });
  await bed.until(() => other.ended());
  expect(other.failure()).toMatchObject({ code: 'LOG_GAP' });
});

it('who has opened before is refused, also where the present owner has said nothing since', async () => {
  const first = bed.startApart('read', 0, { copied: () => 0, tuning: { snapshotEveryMs: 1e12 } });
  await bed.publish(line(1));
  await bed.until(() => first.status.sequence === 1 && first.status.unacknowledged === 0);
  // It reads no more for a while; the next owner starts from nothing, since nothing is trimmed yet.
  const before = bed.messages('dead-letter').length;
  const owner = bed.start('read', 0, { copied: everything });
  await bed.publish(line(2), line(3));
  await trimmedTo(3);
  await bed.publish('4 u1 bad', line(5));
  await bed.quiet();
  await bed.until(() => first.status.restarts > 0 || first.ended());
  expect(bed.messages('dead-letter').filter(({ rows }) => rows.length > 0).length - before).toBe(1);
  expect(owner.failure()).toBeUndefined();
});

it('who has read on behind a gap keeps no snapshot of it', async () => {
  const store = new MemoryStore();
  const slow = new FailingLog(bed.log);
  // Its reader gives it nothing of what is trimmed meanwhile.
  let waiting = true;
  const log: Log = Object.assign(Object.create(slow) as Log, {
    read: async (...of: Parameters<Log['read']>) => {
      const reader = await bed.log.read(...of);
      return {
        take: async (max: number) => {
          while (waiting) await settled();
          return reader.take(max);
        },
        close: async () => {
          waiting = false;
          await reader.close();
        },
      };
    },
  });
  const sleeper = bed.startApart('read', 0, { store, log, copied: () => 0 });
  await bed.until(() => sleeper.status.state === 'running');
  bed.start('read', 0, { copied: everything });
  await bed.publish(line(1), line(2), line(3));
  await trimmedTo(3);
  waiting = false;
  await bed.until(() => sleeper.ended());
  expect(sleeper.failure()).toMatchObject({ code: 'LOG_GAP' });
  expect(store.contents().size).toBe(0);
});

it('who has taken in all frames keeps its snapshot, though others have trimmed behind the one before', async () => {
  const entry = read();
  const bad = topic('dead-letter', deadLetters, 'source', { browsable: true });
  // A view: it says nothing, and runs on all nodes.
  const view = stage({
    id: 'view',
    key: 'user',
    version: 1,
    inputs: { rows: input(words) },
    outputs: {},
    state: {},
    pipeline: ({ inputs }) => inputs.rows.pipe(ignoreElements()),
  });
  bed = await ActorBed.make(
    defineTopology({
      partitions: ONE,
      stages: [entry, view],
      topics: [bad],
      edges: [
        edge(source('events'), entry.in.events, { by: 'source' }),
        edge(entry.out.rows, view.in.rows, { by: 'user' }),
        edge(entry.out.deadLetters, bad.in.rows, { by: 'source' }),
      ],
      aligned: new Set(),
    }),
  );
  const follower = bed.startApart('view', 0, { copied: () => 0, tuning: { snapshotEveryMs: 1e12 } });
  bed.start('read');
  bed.start('view', 0, { copied: everything });
  for (const n of [1, 2, 3]) {
    await bed.publish(line(n));
    await bed.quiet();
  }
  await bed.until(() => (bed.log.messages('RIVULET_VIEW')[0]?.sequence ?? 0) > 1);
  const { sequence } = bed.log.messages('RIVULET_VIEW').at(-1)!;
  await bed.until(() => follower.status.sequence === sequence);
  const stopped = follower.supervisor.stop();
  await bed.until(() => follower.ended());
  await stopped;
  follower.supervisor.mustBeWhole();
  expect(follower.status).toMatchObject({ restarts: 0, snapshotSequence: sequence });
});

it('what strangers have written goes as a whole, however many subjects they make up', async () => {
  bed.start('read');
  const purged: string[] = [];
  const log: Log = Object.assign(Object.create(bed.log) as Log, {
    purge: (...of: Parameters<Log['purge']>) => {
      purged.push(of[1]);
      return bed.log.purge(...of);
    },
  });
  const sum = bed.start('sum', 0, { log, copied: everything });
  await bed.publish(line(1));
  await bed.quiet();
  const strangers = Array.from({ length: 50 }, (_, i) => `rivulet.sum.0.stranger.${i}`);
  for (const subject of strangers) await bed.log.publish(subject, new Uint8Array(0));
  await bed.publish(line(2));
  await bed.quiet();
  const trimmed = async (): Promise<void> => {
    const to = sum.status.sequence;
    await bed.until(() => sum.status.snapshotSequence >= to);
    await bed.quiet();
  };
  await trimmed();
  const left = (): readonly string[] => bed.log.messages('RIVULET_SUM').map(({ subject }) => subject);
  expect(left()).toEqual(['rivulet.sum.0.read.0']);
  // And it is not tried again and again.
  purged.length = 0;
  for (let n = 3; n < 6; n++) {
    await bed.publish(line(n));
    await bed.quiet();
    await trimmed();
  }
  expect(purged.filter((subject) => subject.includes('stranger'))).toEqual([]);
  expect(sum.status).toMatchObject({ restarts: 0, foreign: { messages: 50 } });
});

it('what a stranger has written behind it takes no line’s last message away', async () => {
  bed.start('read');
  const sum = bed.start('sum', 0, { copied: everything });
  await bed.publish(line(1), line(2));
  await bed.quiet();
  const subject = 'rivulet.sum.0.read.0';
  const own = (): readonly number[] =>
    bed.log
      .messages('RIVULET_SUM')
      .flatMap((one) => (one.subject === subject && one.expected !== undefined ? [one.sequence] : []));
  const last = own().at(-1)!;
  const stranger = await bed.log.publish(subject, new Uint8Array(0));
  await bed.until(() => sum.status.snapshotSequence >= stranger);
  await bed.quiet();
  expect(own()).toEqual([last]);
});

it('what a stage has written that the topology does not have any more is skipped, and is nobody’s fault', async () => {
  bed.start('read');
  const sum = bed.start('sum', 0, { copied: everything });
  const headers = { 'Rivulet-Owner': 'an instance of the version before' };
  const before = await bed.log.publish('rivulet.sum.0.retired.0', new Uint8Array(0), { expected: 0, headers });
  await bed.publish(line(1));
  await bed.until(() => sum.status.snapshotSequence > before);
  await bed.quiet();
  expect(sum.status).toMatchObject({ restarts: 0, foreign: undefined });
});
