/** Late events in pages, on a real nats-server. */
import { create, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WindowKind } from '../../../actors/maths/window.js';
import { codeOfType, events } from '../../../actors/model.js';
import { connectNats } from '../../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../../connectors/nats/log/log.js';
import { EnvelopeSchema } from '../../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { systemClock } from '../../../runtime/contract/clock.js';
import { frameOf, type Row } from '../../../runtime/frames/frame.js';
import { encodeFrame } from '../../../runtime/frames/codec.js';
import { streamOf, subjectOf } from '../../../runtime/contract/graph.js';
import { lateEventsOf } from '../../../runtime/node/dead-letters.js';
import type { Log } from '../../../runtime/contract/ports.js';
import { startTestNats, type TestNats } from '../../support/nats.js';

let nats: TestNats;
let log: Log;

beforeAll(async () => {
  nats = await startTestNats();
  log = await openNatsLog(await connectNats({ url: nats.url }, 'test-late'));
  await log.ensureStream({
    ...{ name: streamOf('late'), subjects: ['rivulet.late.>'], bytesMax: 2 ** 26, dropsOldest: true, replicas: 1 },
  });
});
afterAll(async () => {
  await log?.close();
  await nats?.stop();
});

const TIME = Date.UTC(2026, 0, 2, 3, 4, 5);

/** As an instance of window says them; gives the sequence. */
const late = (partition: number, ...rows: Partial<Row<typeof events.columns>>[]): Promise<number> => {
  const body = { case: 'frame' as const, value: encodeFrame(frameOf(events, rows)) };
  const envelope = create(EnvelopeSchema, { first: 1, sequence: 1, lastPart: true, output: 'late', body });
  return log.publish(subjectOf('late', partition, 'window', partition), toBinary(EnvelopeSchema, envelope));
};

it('come newest first, from all partitions, with the window that they missed', async () => {
  const of = lateEventsOf(log, systemClock, { kind: 'tumbling', sizeMs: 300_000 });
  expect(await of.page({ limit: 5, before: undefined })).toEqual({ events: [], next: undefined });
  const first = await late(
    0,
    { time: TIME, type: codeOfType('purchase'), user: 'u1', item: 'i1', category: 'a.b', brand: 'acme', price: 5 },
    { time: TIME, type: codeOfType('view'), user: 'u2', item: 'i2' },
  );
  const second = await late(3, { time: TIME, type: codeOfType('click'), user: 'u3', item: 'i3' });
  const page = await of.page({ limit: 2, before: undefined });
  expect(page.events.map(({ id, userId, eventType }) => [id, userId, eventType])).toEqual([
    [`${second}-0`, 'u3', 'click'],
    [`${first}-1`, 'u2', 'view'],
  ]);
  expect(await of.page({ limit: 2, before: page.next })).toEqual({
    events: [
      {
        ...{ id: `${first}-0`, userId: 'u1', itemId: 'i1', eventType: 'purchase', category: 'a.b', brand: 'acme' },
        ...{ price: 5, eventTimeMs: TIME, storedAtMs: expect.any(Number) },
        window: { startMs: Date.UTC(2026, 0, 2, 3), endMs: Date.UTC(2026, 0, 2, 3, 5) },
      },
    ],
    next: undefined,
  });
});

it.each<[WindowKind, number, number]>([
  [{ kind: 'hopping', sizeMs: 600_000, slideMs: 60_000 }, Date.UTC(2026, 0, 2, 3, 4), Date.UTC(2026, 0, 2, 3, 14)],
  [{ kind: 'session', gapMs: 60_000 }, TIME, TIME + 60_000],
])('of %j missed the last window that they would have been in', async (kind, startMs, endMs) => {
  await late(1, { time: TIME, type: 0, user: 'u', item: 'i' });
  const { events: found } = await lateEventsOf(log, systemClock, kind).page({ limit: 1, before: undefined });
  expect(found[0]!.window).toEqual({ startMs, endMs });
});
