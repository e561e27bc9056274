/** StreamTrending for clients: the complete list, and what has changed in it. */
import { create } from '@bufbuild/protobuf';
import { type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type StreamTrendingRequest,
  StreamTrendingRequestSchema,
  type StreamTrendingResponse,
  type TrendingDelta,
  type TrendingItem as ItemMessage,
  type TrendingSnapshot,
  TrendingRanking as Ranking,
  TrendingWindow as Window,
} from '../../../proto/gen/rivulet/v1/trending_service_pb.js';
import { RivuletError } from '../../../runtime/contract/errors.js';
import { followed, type StreamOptions, type Target } from './streams.js';
import type { TrendingEntry, TrendingRanking, TrendingWindow } from '../../facade/ports.js';

export interface TrendingRequest {
  /** Since the full hour (UTC), with the 23 hours before it, or the last 60 minutes; absent: since the full hour. */
  readonly window?: TrendingWindow;
  /** Absent: by score. */
  readonly ranking?: TrendingRanking;
  /** Only items of this main category. */
  readonly category?: string;
  /** 1 to 100; absent: 10. */
  readonly limit?: number;
  /** The last state received of the same list: only changes since then are requested. */
  readonly after?: TrendingState;
}

export interface RankedEntry extends TrendingEntry {
  /** From 1. */
  readonly rank: number;
}

export interface TrendingState {
  readonly revision: number;
  /** Event time, epoch ms; absent before the first event. */
  readonly asOfMs: number | undefined;
  /** [start, end), epoch ms. */
  readonly window: { readonly startMs: number; readonly endMs: number } | undefined;
  /** Best first. */
  readonly items: readonly RankedEntry[];
}

/** The complete list, and the changes from the previous one; the first update has none. */
export interface TrendingUpdate extends TrendingState {
  readonly entered: readonly string[];
  readonly moved: readonly { readonly itemId: string; readonly from: number; readonly to: number }[];
  readonly left: readonly string[];
}

const WINDOWS: Readonly<Record<TrendingWindow, Window>> = {
  hour: Window.HOUR,
  day: Window.DAY,
  'last-hour': Window.LAST_HOUR,
};
const RANKINGS: Readonly<Record<TrendingRanking, Ranking>> = {
  score: Ranking.SCORE,
  velocity: Ranking.VELOCITY,
  decayed: Ranking.DECAYED,
};

export async function* trendingUpdates(
  target: Target<StreamTrendingRequest, StreamTrendingResponse>,
  { window = 'hour', ranking = 'score', category = '', limit = 0, after }: TrendingRequest,
  options: StreamOptions,
): AsyncGenerator<TrendingUpdate, void, undefined> {
  let state = after;
  const request = (): StreamTrendingRequest =>
    create(StreamTrendingRequestSchema, {
      ...{ window: WINDOWS[window], ranking: RANKINGS[ranking], category, limit },
      afterRevision: BigInt(state?.revision ?? 0),
    });
  for await (const message of followed(target, request, options)) {
    const before = state;
    state = stateAfter(before, message);
    if (state !== before) yield { ...state, ...difference(before, state) };
  }
}

/** The list after a message; the same one when the message changes nothing. */
export function stateAfter(
  before: TrendingState | undefined,
  { revision, asOf, change }: StreamTrendingResponse,
): TrendingState {
  const head = { revision: Number(revision), asOfMs: timeOf(asOf) };
  if (change.case === 'snapshot') {
    return { ...head, window: windowOf(change.value), items: change.value.items.map(entryOf) };
  }
  if (before === undefined) throw outOfStep('nothing');
  if (change.case !== 'delta') return before;
  const { fromRevision, entered, moved, left } = change.value;
  if (Number(fromRevision) !== before.revision) throw outOfStep(`revision ${before.revision}`);
  const items = new Map(before.items.map((entry) => [entry.itemId, entry]));
  for (const itemId of left) items.delete(itemId);
  for (const item of [...entered, ...moved]) items.set(item.itemId, entryOf(item));
  const ranked = [...items.values()].sort((a, b) => a.rank - b.rank);
  return { ...head, window: windowOf(change.value), items: ranked };
}

function difference(
  before: TrendingState | undefined,
  { items }: TrendingState,
): Pick<TrendingUpdate, 'entered' | 'moved' | 'left'> {
  if (before === undefined) return { entered: [], moved: [], left: [] };
  const ranks = new Map(before.items.map(({ itemId, rank }) => [itemId, rank]));
  const entered = items.filter(({ itemId }) => !ranks.has(itemId)).map(({ itemId }) => itemId);
  const moved = items.flatMap(({ itemId, rank: to }) => {
    const from = ranks.get(itemId) ?? to;
    return from === to ? [] : [{ itemId, from, to }];
  });
  for (const { itemId } of items) ranks.delete(itemId);
  return { entered, moved, left: [...ranks.keys()] };
}

const outOfStep = (has: string): RivuletError =>
  new RivuletError('bug', 'TRENDING_OUT_OF_STEP', `a change of the trending list does not go on from ${has}`);

const timeOf = (time: Timestamp | undefined): number | undefined => time && timestampMs(time);

function windowOf({ windowStart, windowEnd }: TrendingSnapshot | TrendingDelta): TrendingState['window'] {
  const [startMs, endMs] = [timeOf(windowStart), timeOf(windowEnd)];
  return startMs === undefined || endMs === undefined ? undefined : { startMs, endMs };
}

const entryOf = ({ itemId, rank, score, views, clicks, category, velocity, ...named }: ItemMessage): RankedEntry => ({
  ...{ itemId, rank, score, views, clicks, category, velocity },
  ...{ title: named.title, brand: named.brand, price: named.price },
});
