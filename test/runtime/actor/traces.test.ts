/** Trace contexts through the main pipeline, in memory (TRACES-1–TRACES-4). */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { mainTopology, type PipelineOptions } from '../../../actors/topology.js';
import { type Envelope, EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { fnv1a, utf8 } from '../../../runtime/frames/bytes.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { MailboxProcessor } from '../../../runtime/actor/processor.js';
import type { Topology } from '../../../runtime/contract/graph.js';
import { AlignmentBuffer } from '../../../runtime/actor/alignment-buffer.js';
import { contextOf, isSampled, traceHeaders } from '../../../runtime/telemetry/trace-context.js';
import { type PublishedEvent, TopologyDriver } from '../../support/topology-driver.js';

const START_MS = Date.UTC(2026, 0, 1, 12);
const EVERY_MS = 10_000;
const PARTITIONS = { source: 2, user: 3, item: 2 };
const DEFAULTS = pipelineOptions(loadConfig({ env: {}, cwd: import.meta.dirname }).config);

const live = (trigger: PipelineOptions['trigger']): Topology =>
  mainTopology({ ...DEFAULTS, partitions: PARTITIONS, trigger });
const EACH_FRAME = live({ kind: 'frame' });
const BY_INTERVAL = live({ kind: 'interval', everyMs: EVERY_MS });

const traceparent = (n: number, flags = '01'): string =>
  `00-${(n + 1).toString(16).padStart(32, '0')}-00f067aa0ba902b7-${flags}`;
const userOf = (n: number): string => `u${n % 5}`;

function event(n: number, trace?: string, type = n % 2 === 0 ? 'view' : 'purchase'): PublishedEvent {
  const time = new Date(START_MS).toISOString();
  const what = { event_id: `e${n}`, event_type: type, event_time: time, item_id: `i${n % 7}`, category_code: 'a.b' };
  const headers = trace === undefined ? {} : { traceparent: trace, tracestate: `rivulet=${n}` };
  return { user: userOf(n), type, data: JSON.stringify({ ...what, user_id: userOf(n), price: 5 }), headers };
}

interface Said {
  readonly subject: string;
  readonly data: Uint8Array;
  readonly envelope: Envelope;
}

afterEach(() => {
  vi.restoreAllMocks();
});

/** Every message that a stage took, in order. */
function saidDuring(work: () => void): Said[] {
  const take = vi.spyOn(MailboxProcessor.prototype, 'take');
  work();
  const said = take.mock.calls.map(([{ subject, data }]) => ({
    subject,
    data,
    envelope: fromBinary(EnvelopeSchema, data),
  }));
  take.mockRestore();
  return said;
}

/** In any order of the mailboxes, over several epochs, which one source is ahead of the other in. */
function fed(topology: Topology, events: readonly PublishedEvent[], seed: number, crashes = false): Said[] {
  const random = seededRandom(seed);
  return saidDuring(() => {
    const driver: TopologyDriver = new TopologyDriver(topology, (n) => {
      if (crashes && random() < 0.02) driver.snapshot('window', Math.floor(random() * PARTITIONS.user));
      return Math.floor(random() * n);
    });
    driver.nowMs = START_MS;
    driver.together(() => {
      for (let at = 0; at < events.length; at += 4) {
        driver.publish(...events.slice(at, at + 4));
        driver.tick(driver.nowMs + EVERY_MS);
      }
      driver.tick(driver.nowMs + EVERY_MS);
    });
    if (crashes) for (let q = 0; q < PARTITIONS.user; q++) driver.crash('window', q);
    driver.publish(event(events.length));
    driver.tick(driver.nowMs + EVERY_MS);
  });
}

describe('a context', () => {
  it.each([
    ['frames', EACH_FRAME],
    ['intervals', BY_INTERVAL],
  ])('goes with what comes of its event, to its partitions and to no other: %s', (_, topology) => {
    const hold = vi.spyOn(AlignmentBuffer.prototype, 'push');
    fc.assert(
      fc.property(fc.nat(), fc.uniqueArray(fc.nat(23), { maxLength: 16 }), (seed, traced) => {
        const events = Array.from({ length: 24 }, (__, n) => event(n, traced.includes(n) ? traceparent(n) : undefined));
        const said = fed(topology, events, seed);
        for (const { subject, envelope } of said) {
          for (const { traceparent: parent, tracestate, users, items } of envelope.traces) {
            const [, stage = '', q] = subject.split('.');
            const n = parseInt(parent.slice(3, 35), 16) - 1;
            expect(tracestate).toBe(`rivulet=${n}`);
            const { key } = topology.stage(stage);
            if (key === 'user') expect([users, items]).toEqual([[userOf(n)], []]);
            if (key === 'item') expect([users, items]).toEqual([[], [`i${n % 7}`]]);
            if (key === 'user' || key === 'item')
              expect(q).toBe(String(fnv1a(utf8((users[0] ?? items[0])!)) % PARTITIONS[key]));
          }
        }
        const through = (stage: string): number[] => {
          const on = said.filter(({ subject }) => subject.startsWith(`rivulet.${stage}.`));
          const all = on.flatMap(({ envelope }) => envelope.traces.map((trace) => trace.traceparent));
          return [...new Set(all)].map((parent) => parseInt(parent.slice(3, 35), 16) - 1).sort((a, b) => a - b);
        };
        const all = [...traced].sort((a, b) => a - b);
        for (const stage of ['watermark', 'window', 'interest-ranking', 'recommendations']) {
          expect([stage, through(stage)]).toEqual([stage, all]);
        }
        expect(through('trending')).toEqual(all);
        // Of views nothing is said to popularity, but with a purchase of the same item.
        expect(through('popularity')).toEqual(expect.arrayContaining(all.filter((n) => n % 2 === 1)));
      }),
      { numRuns: 10 },
    );
    if (topology === BY_INTERVAL) expect(hold).toHaveBeenCalled();
  });

  it.each([
    ['frames', EACH_FRAME],
    ['intervals', BY_INTERVAL],
  ])('changes nothing else of any message, through crashes too: %s', (_, topology) => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const events = (isTraced: boolean) =>
          Array.from({ length: 24 }, (__, n) => event(n % 20, isTraced && n % 3 > 0 ? traceparent(n) : undefined));
        const plain = fed(topology, events(false), seed, true);
        const traced = fed(topology, events(true), seed, true);
        expect(traced.some(({ envelope }) => envelope.traces.length > 0)).toBe(true);
        const text = (subject: string, data: Uint8Array) => `${subject} ${Buffer.from(data).toString('base64')}`;
        const bare = ({ subject, envelope }: Said) =>
          text(subject, toBinary(EnvelopeSchema, { ...envelope, traces: [] }));
        expect(traced.map(bare)).toEqual(plain.map(({ subject, data }) => text(subject, data)));
      }),
      { numRuns: 10 },
    );
  });

  it('waits with at most fifteen others, of which the oldest give way', () => {
    const said = saidDuring(() => {
      const driver = new TopologyDriver(BY_INTERVAL);
      driver.tick(START_MS);
      for (let n = 0; n < 200; n += 5) driver.publish(event(n, traceparent(n)));
      driver.publish(...Array.from({ length: 20 }, (_, n) => event(200 + n * 5, traceparent(200 + n * 5))));
      driver.tick(START_MS + EVERY_MS);
    });
    const numbers = ({ envelope }: Said) =>
      envelope.traces.map((trace) => parseInt(trace.traceparent.slice(3, 35), 16) - 1);
    const latest = Array.from({ length: 16 }, (_, i) => 220 + i * 5);
    const batch = said.filter(({ subject }) => subject.startsWith('rivulet.watermark.')).map(numbers);
    expect(batch).toContainEqual(latest);
    const lists = said.filter(({ subject }) => subject.startsWith('rivulet.recommendations.')).map(numbers);
    expect(lists).toContainEqual(latest);
    expect(Math.max(...said.map((one) => one.envelope.traces.length))).toBe(16);
  });

  it('is not said again by an instance that replays its event', () => {
    const said = saidDuring(() => {
      const driver = new TopologyDriver(EACH_FRAME);
      driver.nowMs = START_MS;
      driver.publish(event(0, traceparent(0)));
      for (let q = 0; q < PARTITIONS.user; q++) driver.crash('window', q);
      driver.publish(event(5));
    });
    const on = said.filter(({ subject }) => subject.startsWith('rivulet.interest-ranking.'));
    expect(on.map(({ envelope }) => envelope.traces.length)).toEqual([1, 0]);
  });

  it('is not lost among those of many events that nobody samples', () => {
    const said = saidDuring(() => {
      const driver = new TopologyDriver(EACH_FRAME);
      driver.nowMs = START_MS;
      const events = Array.from({ length: 60 }, (_, n) => event(n * 5, traceparent(n, n === 0 ? '01' : '00')));
      driver.publish(...events);
    });
    const first = said.find(({ subject }) => subject.startsWith('rivulet.watermark.'));
    expect(first!.envelope.traces.map((trace) => trace.traceparent)).toEqual([traceparent(0)]);
  });

  it('of an event that was refused, or that nobody samples, goes nowhere', () => {
    const said = saidDuring(() => {
      const driver = new TopologyDriver(EACH_FRAME);
      driver.nowMs = START_MS;
      driver.publish(event(0, traceparent(0), 'teleport'), event(1, traceparent(1, '00')), event(2, 'mine'), event(3));
    });
    expect(said.length).toBeGreaterThan(5);
    expect(said.flatMap(({ envelope }) => envelope.traces)).toEqual([]);
  });

  it('is the latest of its user in the view', () => {
    const driver = new TopologyDriver(EACH_FRAME);
    driver.nowMs = START_MS;
    for (const n of [0, 5, 1, 10]) driver.publish(event(n, n === 10 ? undefined : traceparent(n)));
    const latest = (user: string) =>
      driver.processor('recommendations', fnv1a(utf8(user)) % PARTITIONS.user).traces.latest('interactions', user);
    expect(latest('u0')).toEqual({ traceparent: traceparent(5), tracestate: 'rivulet=5' });
    expect(latest('u1')).toEqual({ traceparent: traceparent(1), tracestate: 'rivulet=1' });
    expect(latest('u2')).toBeUndefined();
  });
});

describe('a traceparent', () => {
  const [id, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];

  it.each([
    [`00-${id}-${span}-01`, true],
    [`00-${id}-${span}-00`, false],
    // Flags that we do not know, and a version to come.
    [`00-${id}-${span}-fe`, false],
    [`cc-${id}-${span}-09-what-the-future`, true],
  ])('%s', (given, sampled) => {
    const context = contextOf({ traceparent: given, tracestate: 'b=2, a=1' })!;
    expect(isSampled(context)).toBe(sampled);
    expect(traceHeaders(context)).toEqual({
      traceparent: `00-${id}-${span}-0${sampled ? 1 : 0}`,
      tracestate: 'b=2,a=1',
    });
  });

  it.each([
    '',
    'mine',
    `ff-${id}-${span}-01`,
    `00-${id}-${span}-01-more`,
    `00-${id.toUpperCase()}-${span}-01`,
    `00-${'0'.repeat(32)}-${span}-01`,
    `00-${id}-${'0'.repeat(16)}-01`,
    `00-${id}-${span}`,
  ])('is ignored that is none: %j', (given) => {
    expect(contextOf({ traceparent: given, tracestate: 'a=1' })).toBeUndefined();
  });

  it('comes without a tracestate of more than 512 bytes', () => {
    const context = contextOf({ traceparent: `00-${id}-${span}-01`, tracestate: `a=${'x'.repeat(511)}` })!;
    expect(traceHeaders(context).tracestate).toBe('');
  });
});
