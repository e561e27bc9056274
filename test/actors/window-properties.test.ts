/** The window stage against the batch oracle, over random events, watermarks, frames, snapshots and crashes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { WindowKind } from '../../actors/maths/window.js';
import type { OutputMode } from '../../actors/operators/close-windows.js';
import { window, type WindowOptions } from '../../actors/window.js';
import {
  type OracleAnswer,
  type OracleEpoch,
  type OracleKind,
  type OracleRow,
  windowOracle,
} from '../support/window-oracle.js';
import type { Said } from '../support/stage-driver.js';
import { cutsOf, exact, framesOf, playExactly, type Step } from './script.js';

const SEED = 20191001;
const KINDS: Readonly<Record<string, readonly [WindowKind, OracleKind]>> = {
  tumbling: [
    { kind: 'tumbling', sizeMs: 10 },
    { kind: 'fixed', sizeMs: 10, slideMs: 10 },
  ],
  hopping: [
    { kind: 'hopping', sizeMs: 10, slideMs: 5 },
    { kind: 'fixed', sizeMs: 10, slideMs: 5 },
  ],
  'hopping unevenly': [
    { kind: 'hopping', sizeMs: 10, slideMs: 4 },
    { kind: 'fixed', sizeMs: 10, slideMs: 4 },
  ],
  session: [
    { kind: 'session', gapMs: 6 },
    { kind: 'session', gapMs: 6 },
  ],
};
const OUTPUTS: readonly OutputMode[] = ['update', 'append', 'complete'];

interface Event {
  readonly time: number;
  readonly type: number;
  readonly user: string;
  readonly item: string;
  readonly category?: string | undefined;
  readonly brand?: string | undefined;
  readonly price?: number | undefined;
}

const keyOf = ({ user, item, type, category, brand, price }: Event): string =>
  [user, item, type, category ?? '-', brand ?? '-', price ?? '-'].join(' ');

const event: fc.Arbitrary<Event> = fc.record({
  time: fc.integer({ min: -20, max: 80 }),
  type: fc.constantFrom(0, 0, 0, 2),
  user: fc.constantFrom('u', 'v'),
  item: fc.constantFrom('1', '2'),
  category: fc.constantFrom(undefined, 'a.b'),
  brand: fc.constantFrom(undefined, undefined, 'b'),
  price: fc.constantFrom(undefined, undefined, 0, 1.5),
});

/** Mostly rising watermarks; some fall back, some are none at all. */
const epoch: fc.Arbitrary<OracleEpoch<Event>> = fc.record({
  events: fc.array(event, { maxLength: 12 }),
  watermarkMs: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: -20, max: 90 }) },
    { weight: 1, arbitrary: fc.constant(-Infinity) },
  ),
});

interface Run {
  readonly epochs: readonly OracleEpoch<Event>[];
  readonly latenessMs: number;
  readonly sizes: readonly number[];
}

const run: fc.Arbitrary<Run> = fc.record({
  epochs: fc.array(epoch, { maxLength: 10 }).map(rising),
  latenessMs: fc.constantFrom(0, 0, 7),
  sizes: fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 4 }),
});

/** Of each two neighbours the watermarks are put in order, so that most windows are open for a while. */
function rising(epochs: readonly OracleEpoch<Event>[]): OracleEpoch<Event>[] {
  const sorted = epochs.map(({ watermarkMs }) => watermarkMs).sort((a, b) => a - b);
  return epochs.map(({ events }, n) => ({ events, watermarkMs: n % 4 === 3 ? sorted[n - 1]! - 5 : sorted[n]! }));
}

const stepsOf = ({ epochs, sizes }: Run): Step[] =>
  epochs.flatMap(({ events, watermarkMs }): Step[] => [
    ...framesOf('events', events, sizes),
    { end: true, watermarkMs },
  ]);

const optionsOf = (kind: string, output: OutputMode, { latenessMs }: Run): WindowOptions => ({
  kind: KINDS[kind]![0],
  output,
  allowedLatenessMs: latenessMs,
});

/** What each epoch said: its rows as the oracle writes them, its late events. */
function answers(steps: readonly Step[], said: readonly Said[]): { rows: string[]; late: string[] }[] {
  const epochs = [{ rows: [] as string[], late: [] as string[] }];
  said.forEach(({ rows }, at) => {
    const now = epochs.at(-1)!;
    for (const row of (rows['rows'] ?? []) as unknown as Row[]) now.rows.push(rowText(row));
    for (const row of (rows['late'] ?? []) as unknown as Event[]) now.late.push(`${row.time} ${keyOf(row)}`);
    if ('end' in steps[at]!) epochs.push({ rows: [], late: [] });
  });
  return epochs.slice(0, -1);
}

interface Row extends Event {
  readonly windowStart: number;
  readonly windowEnd: number;
  readonly count: number;
  readonly added: number;
}

const rowText = (row: Row): string =>
  `${row.windowStart}-${row.windowEnd} ${keyOf(row)}: ${row.count} +${row.added} @${row.time}`;

/** The rows of an epoch as an output mode has them: `update` tells the time, and of fixed windows the count, of what was added, the others those of all. */
function expectedRows(answer: OracleAnswer<Event>, kind: string, output: OutputMode, epoch: number): string[] {
  const added = (row: OracleRow<Event>): number => {
    if (output === 'append') return row.count;
    return row.epoch === epoch ? row.added : 0;
  };
  return answer[output]
    .map((row) => {
      const time = output === 'update' ? row.addedTime : row.time;
      const count = output === 'update' && kind !== 'session' ? row.added : row.count;
      return `${row.start}-${row.end} ${keyOf(row.event)}: ${count} +${added(row)} @${time}`;
    })
    .sort();
}

describe.each(Object.keys(KINDS))('%s windows', (kind) => {
  describe.each(OUTPUTS)('output %s', (output) => {
    it('says what the oracle says, and refuses what it refuses, in any frames', () => {
      fc.assert(
        fc.property(run, (one) => {
          const steps = stepsOf(one);
          const { said, driver } = playExactly(window(optionsOf(kind, output, one)), steps);
          const expected = windowOracle(one.epochs, { kind: KINDS[kind]![1], latenessMs: one.latenessMs, keyOf });
          const actual = answers(steps, said);
          const atOnce = stepsOf({ ...one, sizes: [] });
          expect(actual).toEqual(answers(atOnce, playExactly(window(optionsOf(kind, output, one)), atOnce).said));
          expect(actual.map(({ rows }) => [...rows].sort())).toEqual(
            expected.map((answer, epoch) => expectedRows(answer, kind, output, epoch)),
          );
          expect(actual.map(({ late }) => late)).toEqual(
            expected.map(({ late }) => late.map((e) => `${e.time} ${keyOf(e)}`)),
          );
          const { on_time, late } = driver.counts();
          expect(late).toBe(expected.reduce((sum, answer) => sum + answer.late.length, 0));
          expect(on_time + late).toBe(one.epochs.reduce((sum, { events }) => sum + events.length, 0));
        }),
        { seed: SEED, numRuns: 40 },
      );
    });

    it('says the same to the byte after a crash at any cut', () => {
      const script = run.chain((one) => fc.tuple(fc.constant(one), cutsOf(stepsOf(one).length)));
      fc.assert(
        fc.property(script, ([one, cuts]) => {
          const steps = stepsOf(one);
          const stage = window(optionsOf(kind, output, one));
          const straight = playExactly(stage, steps);
          const broken = playExactly(stage, steps, cuts);
          expect(broken.said.map(exact)).toEqual(straight.said.map(exact));
          expect(broken.driver.counts()).toEqual(straight.driver.counts());
        }),
        { seed: SEED, numRuns: 40 },
      );
    });
  });
});

it('says the same to the byte when a crash falls around a change far from the head of a chain, or a move to a new table', () => {
  const stage = window({ kind: { kind: 'session', gapMs: 10 }, output: 'append' });
  const seen = (n: number, time: number) => ({ user: `user-${n}`, item: '1', type: 0, time });
  const many = Array.from({ length: 1_500 }, (_, n) => seen(n, n < 1_000 ? 0 : 100));
  const epoch = (watermarkMs: number, ...rows: ReturnType<typeof seen>[]): Step[] => [
    { feed: 'events', rows },
    { end: true, watermarkMs },
  ];
  const steps: Step[] = [
    // The second sessions of users 3 and 5 stand pages behind their first.
    ...epoch(-Infinity, ...many, seen(3, 300), seen(5, 15)),
    ...epoch(-Infinity, seen(3, 305)),
    ...epoch(-Infinity, seen(5, 8)),
    // Two thirds close; the rest moves.
    ...epoch(50, seen(7, 45)),
    ...epoch(150, seen(3, 309), seen(8, 400), seen(1_300, 120)),
    ...epoch(1_000),
  ];
  const straight = playExactly(stage, steps).said;
  expect(straight.map(({ rows }) => rows['rows']?.length ?? 0)).toEqual([0, 0, 0, 0, 0, 0, 0, 1_000, 0, 502, 0, 2]);
  for (const at of steps.keys()) {
    const snapshots = [at, at + 1, at + 2].map((cut) => ({ at: cut, kind: 'snapshot' }) as const);
    const cuts = [...snapshots, { at: at + 3, kind: 'crash' } as const];
    expect(playExactly(stage, steps, cuts).said.map(exact)).toEqual(straight.map(exact));
  }
});
