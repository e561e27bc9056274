/**
 * watermark: how far event time has advanced at a source, and the ends of its epochs.
 *
 *   W = max over events of min(t, s + skew) − delay      never moves back      t  event time      s  when the log stored it; files have none
 *   idle ⇔ no rows since a tick idleAfter ago            an idle source does not hold back the others
 *
 * Rows pass unchanged, but an event without a category gets its item's categories, if the catalogue has the item: from then on, for what comes later. Events
 * whose item it does not have are counted (`unknown_items`), and reported at ticks, by item. Rows that popularity or trending count also go to an output of
 * each: live at the next tick that carries progress, since both publish their lists at ticks; of a new source at once, so that it soon has lists. At ticks
 * too the events of a sample of users go to what learns from them (state/user-sample). The progress beside them (`Progress`):
 *
 *   trigger    with rows             at a tick                                 at the end of a file
 *   frame      W, end of epoch       to all: W, idle, tick, end of epoch       —
 *   interval   —                     past a multiple of everyMs, the same      —
 *   file       —                     —                                         to all: W (the runtime ends the epoch itself)
 *
 * A source that wakes up reports it to all at once, with its first rows.
 *
 * Impressions go to what learns from them, and nowhere else: they are no sign of interest, and none of activity. None is ever late: they count as on time here.
 *
 * Rows of the past have no part in W, idleness and progress. They pass on an output of their own; popularity counts them and ranking learns from them, trending
 * does not.
 *
 * State    one record: the latest event time and W, the latest tick, the tick since which it is quiet, the tick that ended the last epoch; at most some
 *          thousand rows that wait for a tick; how many of a new source have not waited, and since when; the categories of each item of the catalogue;
 *          the ≤ 1,000 unknown items since the last tick.
 * Restart  restored with the snapshot; ticks are in the mailbox, so idleness is replayed like everything else. Rows that wait in the mailbox come before
 *          the tick that would report the source as idle: back-pressure is not idleness.
 */
import { EMPTY, filter, map, merge, mergeMap, type Observable, tap } from 'rxjs';
import {
  type Emission,
  type FrameOf,
  frameOf,
  gather,
  input,
  type Progress,
  sideInput,
  stage,
  type Tick,
  type Value,
  value,
} from '../runtime/contract/stage.js';
import { isIdle, type SourceState } from './maths/watermark.js';
import {
  catalogueItems,
  engagements,
  EVENT_TYPES,
  events,
  IMPRESSION,
  parsedEvents,
  sampledEvents,
  unknownItems,
} from './model.js';
import { type Advance, advanceWatermark } from './operators/advance-watermark.js';
import { fillCategories } from './operators/fill-categories.js';
import { followTicks } from './operators/follow-ticks.js';
import { type IntervalEnd, intervalEnds } from './operators/interval-ends.js';
import { keepCategories } from './operators/keep-categories.js';
import { reportUnknown } from './operators/report-unknown.js';
import { categoriesOfItems } from './state/categories-of-items.js';
import { unknownItemsState } from './state/unknown-items.js';
import { UserSample, userSample } from './state/user-sample.js';
import { WaitingRows, waitingTables } from './state/waiting-rows.js';

export type Trigger =
  { readonly kind: 'frame' } | { readonly kind: 'file' } | { readonly kind: 'interval'; readonly everyMs: number };

export interface WatermarkOptions {
  readonly trigger: Trigger;
  /** Whether the output `popularity` carries rows. It carries progress in any case. */
  readonly popularity: boolean;
  /** By code of the event type: 0 for types that nobody counts; a frame with only those is not sent on. Absent: nothing is counted. */
  readonly engagements?: Uint8Array;
  /** Whether the output `sampled` carries the events of a sample of users. */
  readonly samples?: boolean;
  /** The distance of W from the newest event. */
  readonly delayMs?: number;
  /** How far W follows event times past the time at which the log stored them, before the delay. */
  readonly skewMs?: number;
  readonly idleAfterMs?: number;
}

const DELAY_MS = 600_000;
const SKEW_MS = 60_000;
const IDLE_AFTER_MS = 60_000;

type Parsed = FrameOf<typeof parsedEvents>;
type Events = FrameOf<typeof events>;
type Engagements = FrameOf<typeof engagements>;
type Sampled = FrameOf<typeof sampledEvents>;
type Report<F> = (frame: F, progress?: Progress) => Emission;
type Out = { readonly rows: Report<Events> } & Readonly<Record<'popularity' | 'engagements', Report<Engagements>>>;

const NO_EVENTS = frameOf(events, []);
const NO_ENGAGEMENTS = frameOf(engagements, []);
/** The most rows that wait for a tick: their readers publish at ticks, and a message per frame would cost as much as all that makes users' lists. */
const WAITING_MAX = 8_192;
/** The first rows that popularity or trending count: how many, and the tick after which the first came. */
interface Begun {
  readonly rows: number;
  readonly tickMs?: number;
}
/** A source is new for so many of these rows, and so long. */
const NEW_ROWS = 1_000;
const NEW_MS = 60_000;
const NO_KINDS = new Uint8Array(EVENT_TYPES.length);

export const watermark = (options: WatermarkOptions) => {
  const { trigger, delayMs = DELAY_MS, skewMs = SKEW_MS, idleAfterMs = IDLE_AFTER_MS } = options;
  return stage({
    id: 'watermark',
    key: 'source',
    version: 1,
    inputs: { items: sideInput(catalogueItems), events: input(parsedEvents) },
    outputs: {
      ...{ rows: events, past: events, popularity: engagements, engagements },
      ...{ sampled: sampledEvents, unknown: unknownItems },
    },
    state: {
      source: value<SourceState>(() => ({})),
      waiting: waitingTables(engagements),
      begun: value<Begun>(() => ({ rows: 0 })),
      ...userSample(),
      ...categoriesOfItems(),
      unknown: unknownItemsState(),
    },
    counts: ['unknown_items', 'on_time'],
    pipeline: ({ inputs, epochEnds, ticks, state, out, count }) => {
      const { source, begun } = state;
      const waiting = new WaitingRows(state.waiting, engagements);
      const sample = options.samples === true ? new UserSample(state) : undefined;
      const sampled = (rows: Sampled | undefined) => (rows === undefined ? [] : [out.sampled(rows)]);
      const withCategories = (past: 0 | 1) =>
        inputs.events.pipe(
          mergeMap((frame) => rowsOfKind(frame, past)),
          fillCategories(state, (unknown) => count('unknown_items', unknown)),
        );
      const past = withCategories(1).pipe(
        mergeMap((frame) => [
          out.past(asEvents(frame)),
          ...(options.popularity ? [out.popularity(asEngagements(frame))] : []),
          ...sampled(sample?.past(frame)),
        ]),
      );
      const shown = inputs.events.pipe(
        tap(({ columns: { type } }) => {
          if (type.includes(IMPRESSION)) count('on_time', type.filter((one) => one === IMPRESSION).length);
        }),
        mergeMap(impressions),
        mergeMap((frame) => sampled(sample?.add(frame))),
      );
      const rows = withCategories(0).pipe(
        advanceWatermark(source, { delayMs, skewMs, idleAfterMs }),
        mergeMap((advance) => [
          ...sampled(sample?.add(advance.frame)),
          ...emissionsOf(
            out,
            advance,
            progressOfRows(trigger, advance, source.get()),
            options,
            { waiting, begun },
            source.get().tickMs,
          ),
        ]),
      );
      const tickEnds = endingTicks(trigger, source, ticks).pipe(map((end) => progressOfTick(end, idleAfterMs)));
      const fileEnds = epochEnds.pipe(
        filter(() => trigger.kind === 'file'),
        map((): Progress => ({ ...known(source.get()), everywhere: true })),
      );
      const markers = merge(tickEnds, fileEnds).pipe(
        mergeMap((progress) => [out.rows(NO_EVENTS, progress), ...counted(out, waiting.release(), options, progress)]),
      );
      const due = ticks.pipe(mergeMap(() => sampled(sample?.release())));
      const unknown = ticks.pipe(
        reportUnknown(state.unknown),
        map((items) => out.unknown(items)),
      );
      return merge(inputs.items.pipe(keepCategories(state)), shown, rows, past, markers, due, unknown);
    },
  });
};

/** The rows of the past (1), or the live ones (0), in their order, but for impressions; a frame without any is left out. */
function rowsOfKind(frame: Parsed, past: 0 | 1): Parsed[] {
  const { past: kinds, type } = frame.columns;
  const isShown = type.includes(IMPRESSION);
  if (frame.rows > 0 && !isShown && kinds.every((kind) => kind === past)) return [frame];
  return chosen(frame, (row) => kinds[row] === past && type[row] !== IMPRESSION);
}

/** Live ones. */
function impressions(frame: Parsed): Parsed[] {
  const { past, type } = frame.columns;
  return type.includes(IMPRESSION) ? chosen(frame, (row) => type[row] === IMPRESSION && past[row] === 0) : [];
}

function chosen(frame: Parsed, isChosen: (row: number) => boolean): Parsed[] {
  const rows = Uint32Array.from({ length: frame.rows }, (_, row) => row).filter(isChosen);
  return rows.length === 0 ? [] : [gather(frame, rows)];
}

/** The states after ticks that end epochs, and the number of epochs that each ends. */
function endingTicks(trigger: Trigger, source: Value<SourceState>, ticks: Observable<Tick>): Observable<IntervalEnd> {
  switch (trigger.kind) {
    case 'frame':
      return ticks.pipe(
        followTicks(source),
        map((at) => ({ at, epochs: 1 })),
      );
    case 'interval':
      return ticks.pipe(followTicks(source), intervalEnds(source, trigger.everyMs));
    case 'file':
      return EMPTY;
  }
}

/** The rows unchanged and, where required, those that others count. Progress for all goes to all outputs, with or without rows. */
function emissionsOf(
  out: Out,
  { frame: parsed }: Advance,
  progress: Progress | undefined,
  options: WatermarkOptions,
  { waiting, begun }: { readonly waiting: WaitingRows<typeof engagements.columns>; readonly begun: Value<Begun> },
  tickMs: number | undefined,
): Emission[] {
  const { trigger, engagements: kinds = NO_KINDS } = options;
  const frame = asEvents(parsed);
  // Nearly all of them count: the few others are not worth a copy.
  let engaged = frame.columns.type.some((type) => kinds[type] !== 0) ? asEngagements(parsed) : NO_ENGAGEMENTS;
  const everywhere = progress?.everywhere === true;
  if (trigger.kind !== 'file' && engaged.rows > 0) {
    const isNew = isNewSource(begun, engaged.rows, tickMs);
    waiting.add(engaged);
    engaged = waiting.rows >= WAITING_MAX || everywhere || isNew ? waiting.release() : NO_ENGAGEMENTS;
  }
  return [
    out.rows(frame, progress),
    ...(engaged.rows > 0 || everywhere ? counted(out, engaged, options, progress) : []),
  ];
}

function isNewSource(begun: Value<Begun>, rows: number, nowMs: number | undefined): boolean {
  const { rows: before, tickMs = nowMs } = begun.get();
  const isNew = before < NEW_ROWS && (nowMs === undefined || tickMs === undefined || nowMs - tickMs < NEW_MS);
  if (isNew) begun.set({ rows: before + rows, ...(tickMs === undefined ? {} : { tickMs }) });
  return isNew;
}

const counted = (out: Out, rows: Engagements, { popularity }: WatermarkOptions, progress?: Progress): Emission[] => [
  ...(popularity || progress?.everywhere === true
    ? [out.popularity(popularity ? rows : NO_ENGAGEMENTS, progress)]
    : []),
  out.engagements(rows, progress),
];

const asEvents = ({ rows, columns: { storedAt: _, past: __, position: _p, arm: _a, ...columns } }: Parsed): Events => ({
  type: events,
  rows,
  columns,
});

const asEngagements = ({
  rows,
  columns: { user: _, past: __, position: _p, arm: _a, ...columns },
}: Parsed): Engagements => ({
  type: engagements,
  rows,
  columns,
});

function progressOfRows(trigger: Trigger, { woke }: Advance, at: SourceState): Progress | undefined {
  const awake: Progress = woke ? { idle: false, everywhere: true } : {};
  if (trigger.kind === 'frame') return { ...known(at), endsEpoch: true, ...awake };
  return woke ? awake : undefined;
}

function progressOfTick({ at, epochs }: IntervalEnd, idleAfterMs: number): Progress {
  const ends = epochs === 1 ? { endsEpoch: true } : { endsEpoch: true, epochs };
  const progress = { ...known(at), idle: isIdle(at, idleAfterMs), ...ends, everywhere: true };
  return at.tickMs === undefined ? progress : { ...progress, tickMs: at.tickMs };
}

/** Known event time; nothing before the first event. */
const known = ({ watermarkMs, maxTimeMs }: SourceState): Progress =>
  watermarkMs === undefined || maxTimeMs === undefined ? {} : { watermarkMs, asOfMs: maxTimeMs };
