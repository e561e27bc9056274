/**
 * Owners that were replaced: what they have not read may be trimmed by the present one, and publishers' messages have no chain that would show it.
 * They must find out before they say, or keep, anything that stands on less than all of the mailbox.
 */
import { beforeEach, expect, it } from 'vitest';
import type { Log } from '../../runtime/ports.js';
import { FailingLog } from '../support/failing-log.js';
import { MemoryStore } from '../../state/memory-store.js';
import { ActorBed, line } from './actor-bed.js';
import { liveToys } from './toy-stages.js';
import { settled } from './virtual-clock.js';

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

it('who has opened before is refused on all lines, also where the present owner has said nothing since', async () => {
  const first = bed.startApart('read', 0, { copied: () => 0, knobs: { snapshotEveryMs: 1e12 } });
  await bed.publish(line(1));
  await bed.until(() => first.status.sequence === 1 && first.status.unacknowledged === 0);
  // It reads no more for a while; the next owner starts from nothing, since nothing is trimmed yet.
  const before = bed.messages('dead-letter').length;
  const owner = bed.start('read', 0, { copied: everything });
  await bed.publish(line(2), line(3));
  await trimmedTo(3);
  await bed.publish('4 u1 bad');
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
