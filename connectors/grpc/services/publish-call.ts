/**
 * One PublishEvents call: its messages, as they come, through an intake (EVENT-INTAKE-1 to EVENT-INTAKE-4 in event-intake.ts).
 *
 *   PUBLISH-CALL-1  a message is read when all events of the previous one are taken in and there is room
 *   PUBLISH-CALL-2  after its end (answered, cancelled, too late) the call publishes nothing more; it is over when nothing is in flight
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import type { sendUnaryData, ServerReadableStream } from '@grpc/grpc-js';
import { on } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { EventReader, ReadEvent } from '../../../actors/formats/event-reader.js';
import { batchPlaces } from '../../../actors/formats/protobuf.js';
import {
  type EventError,
  EventErrorSchema,
  PublishEventsRequestSchema,
  type PublishEventsResponse,
  PublishEventsResponseSchema,
} from '../../../proto/gen/rivulet/v1/event_service_pb.js';
import { threadScheduler } from '../../../runtime/shards/scheduler.js';
import { type ApiError, faultOf, invalidFields } from '../../facade/errors/fault.js';
import { type Intake, takeIn } from '../../facade/events/event-intake.js';
import type { EventPublisher } from '../../facade/ports.js';
import type { ServerContext } from '../server/server-context.js';
import { spanOf } from '../server/intercepted-call.js';
import { asBuffer } from '../server/service-definition.js';
import { malformed, refusal } from '../server/status-details.js';

/** Size of the errors in trailers, which are base64-encoded: all trailers together stay below the 8 KiB that clients accept. */
const TRAILER_BYTES_MAX = 2048;

export type PublishStream = ServerReadableStream<Buffer, Buffer>;

export interface PublishParts {
  readonly publisher: EventPublisher;
  readonly reader: EventReader;
  readonly context: ServerContext;
  /** Its abort ends the call soon, with its progress. A call that waits only for the log goes on waiting. */
  readonly stop: AbortController;
}

/** Resolves when the call is over and nothing of it is in flight. */
export async function publishCall(
  call: PublishStream,
  reply: sendUnaryData<Buffer>,
  { publisher, reader, context, stop }: PublishParts,
): Promise<void> {
  const cancelled = new AbortController();
  call.once('cancelled', () => cancelled.abort());
  const signal = AbortSignal.any([cancelled.signal, stop.signal]);
  const intake = await takeIn(eventsOf(call, reader, context, signal), {
    ...{ publisher, publishesInFlight: context.limits.publishesInFlight, trace: spanOf(call)?.headers() },
    ...{ signal, turn: threadScheduler() },
  });
  if (cancelled.signal.aborted) return;
  const { ended } = intake;
  if (ended === undefined) {
    reply(null, asBuffer(toBinary(PublishEventsResponseSchema, summaryOf(intake))));
    return;
  }
  const fault = ended.error instanceof Unreadable ? ended.error.fault : faultOf(ended.error);
  const summary = summaryOf(intake, TRAILER_BYTES_MAX);
  const metadata = { resend_from: String(ended.resendFrom) };
  reply(refusal({ ...fault, metadata, also: anyPack(PublishEventsResponseSchema, summary) }));
}

/** The bytes are not a valid message. */
class Unreadable extends Error {
  constructor(readonly fault: ApiError) {
    super(fault.message);
  }
}

async function* eventsOf(
  call: PublishStream,
  reader: EventReader,
  { clock }: ServerContext,
  signal: AbortSignal,
): AsyncGenerator<ReadEvent, void, undefined> {
  try {
    const messages = on(call, 'data', { signal, close: ['end'], highWaterMark: 1, lowWaterMark: 1 });
    for await (const [message] of messages as AsyncIterable<[Buffer]>) {
      const events = eventsIn(message, reader.rules.messageEventsMax);
      if ('code' in events) throw new Unreadable(events);
      const nowMs = clock.nowMs();
      for (const bytes of events) yield reader.protobuf(bytes, nowMs);
    }
  } finally {
    call.pause();
  }
  // A stream that its client resets also ends, and is cancelled in the same turn of the event loop: after the turn, a complete one is known.
  await nextTurn();
}

/** `bytesMax`: size of the errors; the first ones that fit. */
function summaryOf({ accepted, rejected, errors }: Intake, bytesMax = Infinity): PublishEventsResponse {
  const all = errors.map(({ index, rule, field = '', reason }) =>
    create(EventErrorSchema, { index: BigInt(index), rule, field, reason }),
  );
  return create(PublishEventsResponseSchema, {
    ...{ accepted: BigInt(accepted), rejected: BigInt(rejected), errors: fitting(all, bytesMax) },
  });
}

/** The events of a message, which is an EventBatch on the wire: each is checked and stored by its own bytes, so that a broken one does not affect the others. */
export function eventsIn(message: Uint8Array, eventsMax: number): readonly Uint8Array[] | ApiError {
  const places = batchPlaces(message, eventsMax);
  if (!('rule' in places))
    return Array.from({ length: places.length / 2 }, (_, i) => message.subarray(places[2 * i], places[2 * i + 1]));
  const { reason, rule } = places;
  return rule === 'too_many_events'
    ? invalidFields([{ field: 'events', description: reason, rule }])
    : malformed(PublishEventsRequestSchema.typeName);
}

/** The first errors that fit. */
function fitting(errors: EventError[], bytesMax: number): EventError[] {
  let bytes = 0;
  const end = errors.findIndex((error) => (bytes += toBinary(EventErrorSchema, error).length + 2) > bytesMax);
  return end < 0 ? errors : errors.slice(0, end);
}
