/** The trending stage by itself: events per second through it, and its memory with a million items in all hours of a day. */
import { performance } from 'node:perf_hooks';
import { CART, engagements, PURCHASE, VIEW } from '../../actors/model.js';
import { trending } from '../../actors/trending.js';
import { seededRandom } from '../../actors/maths/random.js';
import { decodeFrame, encodeFrame } from '../../runtime/frames/codec.js';
import { StageInstance } from '../../runtime/actor/instance.js';
import { FrameBuilder, type FrameOf } from '../../runtime/contract/stage.js';
import { megabytes, say } from './machine.js';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 0, 1);
const FRAME_EVENTS = 4_000;
const CATEGORIES = 14;

type Engagements = FrameOf<typeof engagements>;

/** Events in the order of their time; `itemOf` draws the item. */
function frame(events: number, timeOf: (i: number) => number, itemOf: () => number, random: () => number): Engagements {
  const builder = new FrameBuilder(engagements, events);
  const { columns } = builder;
  for (let i = 0; i < events; i++) {
    const item = itemOf();
    const kind = random();
    columns.time[i] = timeOf(i);
    columns.type[i] = kind < 0.9 ? VIEW : kind < 0.96 ? CART : PURCHASE;
    columns.item.codes[i] = columns.item.dictionary.addText(String(1_000_000 + item));
    columns.category.codes[i] = columns.category.dictionary.addText(`category-${item % CATEGORIES}.x`);
  }
  builder.rows = events;
  return builder.finish();
}

/** `events` over a day, of `items` of which few are popular, ticks in between as at 2,000 events a second or more. */
function throughput(events: number, items: number): void {
  const random = seededRandom(1);
  const stage = new StageInstance(trending({ published: 'live', delayMs: 600_000 }), 0);
  const frames = Math.ceil(events / FRAME_EVENTS);
  let busyMs = 0;
  let tickMs = 0;
  for (let f = 0; f < frames; f++) {
    const timeOf = (i: number): number => START_MS + ((f * FRAME_EVENTS + i) / events) * 24 * HOUR_MS;
    const made = frame(FRAME_EVENTS, timeOf, () => Math.floor(random() ** 3 * items), random);
    // As it comes out of a message.
    const bytes = encodeFrame(made);
    const startedAt = performance.now();
    stage.take('events', decodeFrame(bytes, engagements));
    stage.endEpoch({ epoch: f, watermarkMs: timeOf(0) - 600_000, asOfMs: timeOf(0) });
    busyMs += performance.now() - startedAt;
    // A second of 500,000 events.
    if (f % 125 !== 0) continue;
    const tickedAt = performance.now();
    stage.tick(f);
    tickMs += performance.now() - tickedAt;
  }
  const rate = Math.round(events / ((busyMs + tickMs) / 1000));
  say(
    `trending: ${events.toLocaleString('en')} events of ${items.toLocaleString('en')} items: ${rate.toLocaleString('en')} events/s ` +
      `(${(tickMs / Math.ceil(frames / 125)).toFixed(1)} ms per tick with lists)`,
  );
}

/** `items` different ones in each of `hours` hours. */
function memory(items: number, hours: number): void {
  const before = process.memoryUsage();
  const stage = new StageInstance(trending({ published: 'live', delayMs: 600_000, itemsMax: items }), 0);
  const random = seededRandom(2);
  for (let hour = 0; hour < hours; hour++) {
    for (let first = 0; first < items; first += FRAME_EVENTS) {
      let next = first;
      stage.take(
        'events',
        frame(
          Math.min(FRAME_EVENTS, items - first),
          () => START_MS + hour * HOUR_MS,
          () => next++,
          random,
        ),
      );
    }
  }
  const startedAt = performance.now();
  stage.tick(1);
  const firstMs = performance.now() - startedAt;
  global.gc?.();
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  const own = heapUsed - before.heapUsed + arrayBuffers - before.arrayBuffers;
  say(
    `trending: ${items.toLocaleString('en')} items in each of ${hours} hours: ${megabytes(own)} of state (process ${megabytes(rss)}), ` +
      `lists from all hours in ${firstMs.toFixed(0)} ms`,
  );
}

export async function benchTrending(): Promise<void> {
  throughput(4_000_000, 50_000);
  throughput(4_000_000, 1_000_000);
  memory(1_000_000, 4);
  memory(1_000_000, 24);
  await Promise.resolve();
}
