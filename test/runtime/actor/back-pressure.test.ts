/**
 * Back-pressure from end to end: a slow stage slows its writer, that its own, and at last the publishers, who are told so. Nothing is lost and
 * nothing grows with the load: counts and bytes are looked at after every turn, never times.
 */
import { describe, expect, it } from 'vitest';
import { RivuletError } from '../../../runtime/contract/errors.js';
import { streamOf } from '../../../runtime/contract/graph.js';
import { FailingLog } from '../../support/failing-log.js';
import { ActorBed, line, ONE, type Running } from './actor-bed.js';
import { TUNING } from '../tuning.js';
import { liveToys } from '../toy-stages.js';
import { until } from '../virtual-clock.js';

const STREAM_BYTES = 4_000;
const STAGES = ['read', 'sum', 'rank'] as const;
/** A message at a time, each after a second; the others need no time at all. */
const SLOW_MS = 1_000;

interface Most {
  unacknowledged: number;
  streamBytes: number;
  waiting: number;
}

async function run(events: number): Promise<{ bed: ActorBed; most: Most; refused: number; instances: Running[] }> {
  const bed = await ActorBed.make(liveToys({ partitions: ONE }), { bytesMax: STREAM_BYTES });
  const slow = new FailingLog(bed.log, {
    slice: () => 1,
    turn: ({ kind }) => (kind === 'take' ? bed.clock.sleep(SLOW_MS / 2) : Promise.resolve()),
  });
  const tuning = { snapshotEveryMs: 500, frameMessages: 1 };
  const instances = STAGES.map((id) => bed.start(id, 0, { tuning, ...(id === 'rank' ? { log: slow } : {}) }));
  const most: Most = { unacknowledged: 0, streamBytes: 0, waiting: 0 };
  const look = (): void => {
    for (const { status } of instances) most.unacknowledged = Math.max(most.unacknowledged, status.unacknowledged);
    for (const id of STAGES) {
      const messages = bed.log.messages(streamOf(id));
      const bytes = messages.reduce((sum, { data, subject }) => sum + data.length + subject.length, 0);
      most.streamBytes = Math.max(most.streamBytes, bytes);
      most.waiting = Math.max(most.waiting, messages.length);
    }
  };
  let refused = 0;
  let published = 0;
  const publish = async (): Promise<void> => {
    while (published < events) {
      try {
        await bed.publish(line(published, 1, `u${published % 7}`));
        published++;
      } catch (error) {
        if (!(error instanceof RivuletError) || error.code !== 'LOG_FULL') throw error;
        refused++;
        await bed.clock.sleep(SLOW_MS / 2);
      }
    }
  };
  let failure: unknown;
  publish().catch((error: unknown) => (failure = error));
  const last = instances.at(-1)!.status;
  const end = (): boolean => {
    look();
    if (failure !== undefined) throw failure as Error;
    return published === events && last.rowsIn === events && last.unacknowledged === 0;
  };
  await until(bed.clock, end, 40_000);
  return { bed, most, refused, instances };
}

describe('a slow stage', () => {
  it('slows the publishers, who are refused and try again; every event is counted once', async () => {
    const { bed, refused, instances } = await run(300);
    expect(refused).toBeGreaterThan(100);
    const perItem = new Map(bed.rows('totals').map(({ item, times }) => [item, times]));
    expect([...perItem.values()].reduce<number>((sum, times) => sum + Number(times), 0)).toBe(300);
    expect(bed.rows('totals')).toHaveLength(300);
    expect(instances.map(({ status }) => [status.restarts, status.state])).toEqual(instances.map(() => [0, 'running']));
  });

  it('makes nothing grow: what is under way and what waits is the same for three times the load', async () => {
    const [little, much] = [(await run(200)).most, (await run(600)).most];
    expect(much.unacknowledged).toBeLessThanOrEqual(TUNING.inFlightMessages + 1);
    expect(much.streamBytes).toBeLessThanOrEqual(STREAM_BYTES);
    expect(much.waiting).toBeLessThanOrEqual(little.waiting + 2);
  });
});
