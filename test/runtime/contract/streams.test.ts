/** Streams and filters derived from the topology. */
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../../runtime/frames/bytes.js';
import { mainTopology } from '../../../actors/topology.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import {
  ensureStreams,
  filtersOf,
  readsEvents,
  publishersSubject,
  streamsOf,
} from '../../../runtime/contract/streams.js';
import { matches, MemoryLog } from '../../support/memory-log.js';
import { boundedToys, liveToys } from '../toy-stages.js';
import { WEIGHTED } from '../../support/popularity-source.js';

const LIMITS = { bytesMax: 1_000, replicas: 3 };
const ONE = { source: 1, user: 1, item: 1 };

describe('streams', () => {
  it('are one per stage and topic, and one for the quarantine; publishers’ subjects belong to the stage that reads them', () => {
    expect(streamsOf(liveToys(), LIMITS)).toEqual([
      {
        name: 'RIVULET_READ',
        subjects: ['rivulet.events.>', 'rivulet.read.>'],
        ...LIMITS,
        dropsOldest: false,
        transform: {
          from: 'rivulet.events.*.*',
          to: 'rivulet.read.{{partition(2,2)}}.events.{{wildcard(1)}}.{{wildcard(2)}}',
        },
      },
      { name: 'RIVULET_SUM', subjects: ['rivulet.sum.>'], ...LIMITS, dropsOldest: false },
      { name: 'RIVULET_RANK', subjects: ['rivulet.rank.>'], ...LIMITS, dropsOldest: false },
      { name: 'RIVULET_TOTALS', subjects: ['rivulet.totals.>'], ...LIMITS, dropsOldest: false },
      { name: 'RIVULET_DEAD_LETTER', subjects: ['rivulet.dead-letter.>'], ...LIMITS, dropsOldest: true },
      { name: 'RIVULET_QUARANTINE', subjects: ['rivulet.quarantine.>'], ...LIMITS, dropsOldest: false },
    ]);
  });

  it('of a topic with a retention of its own are bounded by that', () => {
    const given = (key: string, value: string) => ({ key, value, bySet: true });
    const { config } = loadConfig({
      env: {},
      cwd: import.meta.dirname,
      flags: [given('history.days', '7'), given('history.megabytes', '64')],
    });
    const specs = streamsOf(mainTopology(pipelineOptions(config)), LIMITS);
    expect(specs.find(({ name }) => name === 'RIVULET_HISTORY')).toEqual({
      ...{ name: 'RIVULET_HISTORY', subjects: ['rivulet.history.>'], replicas: 3, dropsOldest: true },
      ...{ bytesMax: 64 * 1024 * 1024, ageMaxMs: 7 * 86_400_000 },
    });
  });

  it('between stages have the record of the deployment, once there is one', () => {
    const specs = streamsOf(liveToys(), { ...LIMITS, deployment: 'this one' });
    const recorded = specs.filter(({ deployment }) => deployment === 'this one').map(({ name }) => name);
    expect(recorded).toEqual(['RIVULET_READ', 'RIVULET_SUM', 'RIVULET_RANK']);
  });

  it('of one partition need no transform; without publishers there are no publishers’ subjects', () => {
    expect(streamsOf(liveToys({ partitions: ONE }), LIMITS)[0]).not.toHaveProperty('transform');
    expect(streamsOf(boundedToys(), LIMITS).flatMap(({ subjects }) => subjects)).not.toContain('rivulet.events.>');
  });

  it('of a catalogue keep their order: whatever the partitions, all items are the first one’s', () => {
    const options = { parse: {}, trigger: { kind: 'frame' }, watermarkDelayMs: 1, idleAfterMs: 1 } as const;
    const topology = mainTopology({
      ...{ ...options, partitions: { source: 2, user: 2, item: 2 }, interest: { kind: 'decayed', halfLifeMs: 1 } },
      window: { kind: { kind: 'tumbling' }, allowedLatenessMs: 0, output: 'update' },
      ...{ popularity: WEIGHTED, listSize: 10, trending: {}, mode: 'live' },
    });
    const spec = streamsOf(topology, LIMITS).find(({ name }) => name === 'RIVULET_PARSE_ITEMS');
    expect(spec).toEqual({
      ...{ name: 'RIVULET_PARSE_ITEMS', subjects: ['rivulet.items.>', 'rivulet.parse-items.>'] },
      ...{ ...LIMITS, dropsOldest: false },
    });
    expect(filtersOf(topology, 'parse-items', 0)).toEqual(['rivulet.parse-items.0.>', 'rivulet.items.>']);
    expect(filtersOf(topology, 'parse-items', 1)).toEqual(['rivulet.parse-items.1.>']);
    expect(['parse', 'parse-items'].map((id) => readsEvents(topology, id))).toEqual([true, false]);
    expect(publishersSubject('rivulet.items.i1')).toBe('rivulet.items.>');
  });

  it('no two take the same subject', () => {
    const all = streamsOf(liveToys(), LIMITS).flatMap(({ subjects }) => subjects);
    for (const one of all) {
      const sample = one.replace('>', 'x.0.y.0');
      expect(all.filter((filter) => matches(filter, sample))).toEqual([one]);
    }
  });
});

describe('mailboxes', () => {
  it('of partition 0 hold what no transform has spread', () => {
    expect(filtersOf(liveToys(), 'read', 0)).toEqual(['rivulet.read.0.>', 'rivulet.events.>']);
    expect(filtersOf(liveToys(), 'read', 1)).toEqual(['rivulet.read.1.>']);
    expect(filtersOf(liveToys(), 'sum', 0)).toEqual(['rivulet.sum.0.>']);
    expect(filtersOf(boundedToys(), 'split', 0)).toEqual(['rivulet.split.0.>']);
  });

  it('together hold every publisher’s message once', async () => {
    for (const topology of [liveToys(), liveToys({ partitions: ONE })]) {
      const log = new MemoryLog();
      await ensureStreams(log, topology, { bytesMax: 1e6, replicas: 1 });
      const sent = ['rivulet.events.view', ...Array.from({ length: 20 }, (_, i) => `rivulet.events.view.u${i}`)];
      for (const subject of sent) await log.publish(subject, utf8('x'));
      const partitions = Array.from({ length: topology.count('read') }, (_, p) => filtersOf(topology, 'read', p));
      for (const { subject } of log.messages('RIVULET_READ')) {
        const readers = partitions.filter((filters) => filters.some((filter) => matches(filter, subject)));
        expect(readers, subject).toHaveLength(1);
      }
    }
  });

  it('are trimmed of publishers’ messages as one', () => {
    expect(publishersSubject('rivulet.events.view.u1')).toBe('rivulet.events.>');
    expect(publishersSubject('rivulet.read.1.events.view.u1')).toBe('rivulet.read.1.events.>');
  });
});
