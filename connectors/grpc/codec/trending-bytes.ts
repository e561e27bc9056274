/** Encodes states of a trending list as rivulet.v1.StreamTrendingResponse: a snapshot, or the difference from an earlier state. */
import { type BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import {
  StreamTrendingResponseSchema,
  TrendingDeltaSchema,
  TrendingItemSchema,
  TrendingSnapshotSchema,
} from '../../../proto/gen/rivulet/v1/trending_service_pb.js';
import { tag, writeCount, writeDouble, writeRevision, writeText, writeTime, written } from './message-writing.js';
import type { TrendingEntry, TrendingList } from '../../facade/ports.js';
import { differenceOf, type TrendingEncoder } from '../../facade/trending/feed.js';

const { LengthDelimited: BYTES, Varint: VARINT, Bit64: DOUBLE } = WireType;

const { field: inResponse } = StreamTrendingResponseSchema;
const REVISION = tag(inResponse.revision, VARINT);
const AS_OF = tag(inResponse.asOf, BYTES);
const SNAPSHOT = tag(inResponse.snapshot, BYTES);
const DELTA = tag(inResponse.delta, BYTES);
const HEARTBEAT = tag(inResponse.heartbeat, BYTES);

const { field: inSnapshot } = TrendingSnapshotSchema;
const SNAPSHOT_START = tag(inSnapshot.windowStart, BYTES);
const SNAPSHOT_END = tag(inSnapshot.windowEnd, BYTES);
const SNAPSHOT_ITEM = tag(inSnapshot.items, BYTES);

const { field: inDelta } = TrendingDeltaSchema;
const FROM_REVISION = tag(inDelta.fromRevision, VARINT);
const DELTA_START = tag(inDelta.windowStart, BYTES);
const DELTA_END = tag(inDelta.windowEnd, BYTES);
const ENTERED = tag(inDelta.entered, BYTES);
const MOVED = tag(inDelta.moved, BYTES);
const LEFT = tag(inDelta.left, BYTES);

const { field: inItem } = TrendingItemSchema;
const ITEM_ID = tag(inItem.itemId, BYTES);
const RANK = tag(inItem.rank, VARINT);
const SCORE = tag(inItem.score, DOUBLE);
const VIEWS = tag(inItem.views, VARINT);
const CLICKS = tag(inItem.clicks, VARINT);
const CATEGORY = tag(inItem.category, BYTES);
const VELOCITY = tag(inItem.velocity, DOUBLE);
const TITLE = tag(inItem.title, BYTES);
const BRAND = tag(inItem.brand, BYTES);
const PRICE = tag(inItem.price, DOUBLE);

/** The complete list. */
export const snapshotBytes = (state: TrendingList): Buffer =>
  written((out) => {
    writeHead(out, state);
    out.uint32(SNAPSHOT).fork();
    writeTime(out, SNAPSHOT_START, state.window?.startMs);
    writeTime(out, SNAPSHOT_END, state.window?.endMs);
    state.items.forEach((entry, i) => writeItem(out, SNAPSHOT_ITEM, entry, i + 1));
    out.join();
  });

/** The difference of `to` from `from`. */
export const deltaBytes = (from: TrendingList, to: TrendingList): Buffer =>
  written((out) => {
    writeHead(out, to);
    out.uint32(DELTA).fork();
    writeRevision(out, FROM_REVISION, from.revision);
    writeTime(out, DELTA_START, to.window?.startMs);
    writeTime(out, DELTA_END, to.window?.endMs);
    const { entered, moved, left } = differenceOf(from, to);
    for (const i of entered) writeItem(out, ENTERED, to.items[i]!, i + 1);
    for (const i of moved) writeItem(out, MOVED, to.items[i]!, i + 1);
    for (const itemId of left) out.uint32(LEFT).string(itemId);
    out.join();
  });

/** The state is unchanged. */
export const heartbeatBytes = (state: TrendingList): Buffer =>
  written((out) => {
    writeHead(out, state);
    out.uint32(HEARTBEAT).fork().join();
  });

function writeHead(out: BinaryWriter, { revision, asOfMs }: TrendingList): void {
  writeRevision(out, REVISION, revision);
  writeTime(out, AS_OF, asOfMs);
}

function writeItem(out: BinaryWriter, fieldTag: number, entry: TrendingEntry, rank: number): void {
  out.uint32(fieldTag).fork();
  writeText(out, ITEM_ID, entry.itemId);
  writeCount(out, RANK, rank);
  writeDouble(out, SCORE, entry.score);
  writeCount(out, VIEWS, entry.views);
  writeCount(out, CLICKS, entry.clicks);
  if (entry.category !== undefined) out.uint32(CATEGORY).string(entry.category);
  writeDouble(out, VELOCITY, entry.velocity);
  if (entry.title !== undefined) out.uint32(TITLE).string(entry.title);
  if (entry.brand !== undefined) out.uint32(BRAND).string(entry.brand);
  if (entry.price !== undefined) out.uint32(PRICE).double(entry.price);
  out.join();
}

export const TRENDING_BYTES: TrendingEncoder = {
  snapshot: snapshotBytes,
  delta: deltaBytes,
  heartbeat: heartbeatBytes,
};
