/** POST /events: one event or many, answered when they are stored; what is wrong with one is said by its place. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { EventType } from '../../../proto/gen/rivulet/v1/event_pb.js';
import type { Clock } from '../../../runtime/contract/ports.js';
import { contextOf, type TraceHeaders, traceHeaders } from '../../../runtime/telemetry/trace-context.js';
import { faultOf, type FieldViolation, invalidFields } from '../../facade/errors/fault.js';
import type { EventPublisher } from '../../facade/ports.js';
import { type EventBody, jsonBody, jsonLinesBody } from './event-body.js';
import { type EventError, type Intake, takeIn } from '../../facade/events/event-intake.js';
import { EVENT_TYPE_NAMES, EVENT_TYPE_TEXTS } from '../event-json.js';
import type { Gate } from '../server/gate.js';
import type { HttpLimits } from '../server/limits.js';
import { problemSchema, Refused } from '../server/problem.js';
import { type App, validatorCompiler } from '../server/zod-provider.js';

export interface EventPorts {
  readonly publisher: EventPublisher;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly limits: Pick<HttpLimits, 'publishesInFlight' | 'futureMsMax'>;
}

const EVENTS_MAX = 10_000;
const JSON_LINES = /^application\/(x-)?(ndjson|jsonl|json-?lines)\s*(;|$)/i;

/** As `event_type` may say it. */
const RATING_TYPES = ['rating', 'EVENT_TYPE_RATING', EventType.RATING];
const NAME_CHARS_MAX = 256;
/** Of what may be left out: null is as a field that is not there. */
const id = z.union([z.string().max(NAME_CHARS_MAX), z.int()]).nullish();
const requiredId = z.union([z.string().min(1).max(NAME_CHARS_MAX), z.int()]);
const name = z.string().max(NAME_CHARS_MAX).nullish();
const text = z.string().nullish();

/** For who reads the documents; events are checked one by one (event-json.ts). */
const event = z
  .strictObject({
    event_id: id.describe('A second event with the same id is counted as a duplicate and dropped'),
    event_type: z
      .union([z.enum(EVENT_TYPE_TEXTS as [string, ...string[]]), z.int().min(1).max(EVENT_TYPE_NAMES.length)])
      .describe(`${EVENT_TYPE_NAMES.join(', ')}; also as rivulet.v1.EventType has it, by name or number`),
    event_time: z
      .union([z.string(), z.number().min(0)])
      .describe(
        'ISO-8601: 2026-01-02T03:04:05.678Z, 2026-01-02 03:04:05 UTC, 2026-01-02, with an offset, or with none for UTC; or epoch seconds below 10^11, milliseconds from there on',
      ),
    user_id: requiredId.describe('Who did it; a whole number is kept as text'),
    item_id: requiredId.describe('To which item'),
    category_code: name.describe('Dotted path, the widest first: electronics.audio.headphone'),
    brand: name,
    price: z.number().min(0).nullish(),
    session_id: id.describe('The visit that it is part of'),
    rating: z.number().min(0.5).max(5).nullish().describe('Required when event_type is rating'),
    page_url: text,
    device_type: text,
    click_type: text,
    referrer: text,
    review_text: z.string().max(5_000).nullish(),
  })
  .meta({
    id: 'Event',
    description:
      'Names may also be in camelCase (eventType, userId), each once. Ids, category_code and brand have at most 256 bytes of UTF-8, and no control characters.',
    examples: [{ event_type: 'view', event_time: '2026-01-02T03:04:05.678Z', user_id: 'u1', item_id: 'i1' }],
    ...{
      if: { properties: { event_type: { enum: RATING_TYPES } }, required: ['event_type'] },
      then: { properties: { rating: { type: 'number' } }, required: ['rating'] },
    },
  });

const outcome = z
  .object({
    accepted: z.int().describe('Stored'),
    rejected: z.int(),
    errors: z
      .array(
        z.object({
          index: z.int().describe('Of the event in the request, from 0'),
          field: z.string().optional().describe('Absent when it is the whole'),
          reason: z.string(),
        }),
      )
      .describe('Of the first hundred that were rejected'),
  })
  .meta({ id: 'PublishedEvents' });

const DESCRIPTION = `Takes one event, an array of them, or JSON lines (application/x-ndjson), up to ${EVENTS_MAX} events. Answers when each is stored or rejected; 400 when all were rejected. When the log is away midway, the metadata of the problem says how many were accepted, and \`resend_from\`, the first event to send again: give events an event_id, and one that is sent twice counts once.`;

export function eventRoutes(app: App, ports: EventPorts, gate: Gate): void {
  // A scope of its own: the bytes of these bodies are read here.
  void app.register((scope, _, done) => {
    scope.removeAllContentTypeParsers();
    for (const type of ['application/json', JSON_LINES]) {
      scope.addContentTypeParser(type, { parseAs: 'buffer' }, (_request, body, parsed) => {
        parsed(null, body);
      });
    }
    scope.post(
      '/events',
      {
        validatorCompiler: (route) =>
          route.httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler(route as never),
        schema: {
          tags: ['Events'],
          summary: 'Publish events',
          description: DESCRIPTION,
          querystring: z.strictObject({}),
          consumes: ['application/json', 'application/x-ndjson'],
          body: z.union([event, z.array(event).max(EVENTS_MAX)]),
          response: { 200: outcome, '4xx': problemSchema, '5xx': problemSchema },
        },
      },
      async (request, reply) => publish(request, reply, ports, gate),
    );
    done();
  });
}

async function publish(
  request: FastifyRequest,
  { raw }: FastifyReply,
  { publisher, clock, limits }: EventPorts,
  gate: Gate,
): Promise<z.input<typeof outcome>> {
  const { count, events } = bodyOf(request);
  if (count > EVENTS_MAX) throw tooMany(count);
  const leave = gate.enter(request.raw);
  const left = new AbortController();
  raw.once('close', () => {
    left.abort();
  });
  try {
    const intake = await takeIn(events, {
      ...{ publisher, publishesInFlight: limits.publishesInFlight, latestMs: clock.nowMs() + limits.futureMsMax },
      ...{ trace: traceOf(request), signal: left.signal },
    });
    const { accepted, rejected, errors, ended } = intake;
    if (ended !== undefined) throw broken(intake, ended);
    if (accepted === 0 && rejected > 0) throw allRejected(intake, count);
    return { accepted, rejected, errors: errors.map(({ field, ...one }) => (field === '' ? one : { ...one, field })) };
  } finally {
    leave();
  }
}

function bodyOf({ body, headers }: FastifyRequest): EventBody {
  if (!(body instanceof Uint8Array)) throw malformed('there is no body: send an event as JSON');
  if (JSON_LINES.test(headers['content-type'] ?? '')) return jsonLinesBody(body);
  const read = jsonBody(body);
  if (read === undefined) throw malformed('the body is not JSON: check its quotes and commas, and that it is UTF-8');
  return read;
}

const malformed = (message: string): Refused =>
  new Refused({ code: 'INVALID_ARGUMENT', message, reason: 'MALFORMED_REQUEST' });

const tooMany = (count: number): Refused =>
  new Refused(
    {
      code: 'INVALID_ARGUMENT',
      message: `the body has ${count} events and may have ${EVENTS_MAX}: send them in several requests`,
      reason: 'REQUEST_TOO_LARGE',
    },
    413,
  );

/** The log was away, or something else that has to do with none of the events. */
function broken({ accepted, rejected, errors }: Intake, { error, resendFrom }: NonNullable<Intake['ended']>): Refused {
  const metadata = { accepted: String(accepted), rejected: String(rejected), resend_from: String(resendFrom) };
  const violations = errors.map((one) => violationOf(one, true));
  return new Refused({ ...faultOf(error), metadata, ...(violations.length > 0 && { violations }) });
}

function allRejected({ rejected, errors }: Intake, count: number): Refused {
  const violations = errors.map((one) => violationOf(one, count > 1));
  return new Refused({ ...invalidFields(violations), metadata: { accepted: '0', rejected: String(rejected) } });
}

/** `user_id`; of several events `3.user_id`. */
function violationOf({ index, field, reason }: EventError, isOfMany: boolean): FieldViolation {
  const path = isOfMany ? [String(index), field] : [field];
  return { field: path.filter((name) => name !== '').join('.') || 'body', description: reason };
}

/** Of the caller, where it is valid: the events go on in its trace. */
function traceOf({ headers: { traceparent, tracestate } }: FastifyRequest): TraceHeaders | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const context = contextOf({ traceparent, tracestate: [tracestate ?? ''].flat().join(',') });
  return context && traceHeaders(context);
}
