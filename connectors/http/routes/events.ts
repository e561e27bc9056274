/** POST /events: one event or many, answered when they are stored; errors are reported by the index of the event. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { EventMessage, EventReader } from '../../../actors/formats/event-reader.js';
import type { Clock } from '../../../runtime/contract/ports.js';
import { contextOf, type TraceHeaders, traceHeaders } from '../../../runtime/telemetry/trace-context.js';
import { type Scheduler, threadScheduler } from '../../../runtime/shards/scheduler.js';
import { faultOf, type FieldViolation } from '../../facade/errors/fault.js';
import type { EventPublisher } from '../../facade/ports.js';
import { type EventError, type Intake, takeIn } from '../../facade/events/event-intake.js';
import { eventSchema } from './event-schema.js';
import type { HttpLimits } from '../server/limits.js';
import { problemSchema, Refused } from '../server/problem.js';
import { type App, validatorCompiler } from '../server/zod-provider.js';

export interface EventPorts {
  readonly publisher: EventPublisher;
  readonly reader: EventReader;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly limits: Pick<HttpLimits, 'publishesInFlight'>;
}

/** Every other type is taken, and is what it says or what its first bytes are, as in a message over NATS. */
const NOT_TAKEN =
  '(application/(x-www-form-urlencoded|xml|pdf|zip)|multipart/|text/(html|css|xml)|image/|audio/|video/|font/)';
const TAKEN = new RegExp(`^(?!${NOT_TAKEN})`, 'i');

const outcome = z
  .object({
    accepted: z.int().describe('How many were stored'),
    rejected: z.int(),
    errors: z
      .array(
        z.object({
          index: z.int().describe('Position of the event in the request, from 0'),
          rule: z
            .string()
            .describe('The rule that it breaks; programs may match it. Dead letters have the same rules and reasons'),
          field: z.string().optional().describe('The invalid field; absent when the whole event is invalid'),
          detail: z.string(),
        }),
      )
      .describe('The first hundred that were rejected'),
  })
  .meta({ id: 'PublishedEvents' });

const descriptionOf = (eventsMax: number): string =>
  `Takes one event, an array of them, JSON lines (application/x-ndjson), or a protobuf Event or EventBatch (application/x-protobuf), up to ${eventsMax} events. Answers when each is stored or rejected; 400 when all were rejected. When the log is unreachable midway, the metadata of the problem says how many were accepted, and \`resend_from\`, the first event to send again: give events an event_id, and one that is sent twice counts once.`;

export function eventRoutes(app: App, ports: EventPorts): void {
  const { rules } = ports.reader;
  const event = eventSchema(ports.reader);
  // An encapsulated scope, because these bodies are parsed here.
  void app.register((scope, _, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(TAKEN, { parseAs: 'buffer' }, (_request, body, parsed) => {
      parsed(null, body);
    });
    scope.post(
      '/events',
      {
        validatorCompiler: (route) =>
          route.httpPart === 'body' ? (value: unknown) => ({ value }) : validatorCompiler(route as never),
        schema: {
          tags: ['Events'],
          summary: 'Publish events',
          description: descriptionOf(rules.messageEventsMax),
          querystring: z.strictObject({}),
          consumes: ['application/json', 'application/x-ndjson', 'application/x-protobuf'],
          body: z.union([event, z.array(event).max(rules.messageEventsMax)]),
          response: { 200: outcome, '4xx': problemSchema, '5xx': problemSchema },
        },
      },
      async (request, reply) => publish(request, reply, ports),
    );
    done();
  });
}

async function publish(
  request: FastifyRequest,
  { raw }: FastifyReply,
  { publisher, reader, clock, limits }: EventPorts,
): Promise<z.input<typeof outcome>> {
  const left = new AbortController();
  raw.once('close', () => {
    left.abort();
  });
  const turn = threadScheduler();
  const { count, events } = await messageIn(request, reader, clock.nowMs(), turn);
  const intake = await takeIn(events, {
    ...{ publisher, publishesInFlight: limits.publishesInFlight },
    ...{ trace: traceOf(request), signal: left.signal, turn },
  });
  const { accepted, rejected, errors, ended } = intake;
  if (ended !== undefined) throw broken(intake, ended);
  if (accepted === 0 && rejected > 0) throw allRejected(intake, count);
  return { accepted, rejected, errors: errors.map(({ reason: detail, ...error }) => ({ ...error, detail })) };
}

async function messageIn(
  { body, headers }: FastifyRequest,
  reader: EventReader,
  nowMs: number,
  turn: Scheduler,
): Promise<EventMessage> {
  const bytes = Buffer.isBuffer(body) ? body : NO_BYTES;
  const search = reader.message(bytes, headers['content-type']?.toLowerCase(), nowMs);
  let step = search.next();
  for (; step.done !== true; step = search.next()) await turn();
  const read = step.value;
  if (!('rule' in read)) return read;
  const [reason, status] = read.rule === 'too_many_events' ? ['REQUEST_TOO_LARGE', 413] : ['MALFORMED_REQUEST', 400];
  const violations = [{ description: read.reason, rule: read.rule }];
  throw new Refused({ code: 'INVALID_ARGUMENT', message: read.reason, reason, violations }, status);
}

const NO_BYTES = Buffer.alloc(0);

/** The log was unavailable, or another failure that concerns none of the events. */
function broken({ accepted, rejected, errors }: Intake, { error, resendFrom }: NonNullable<Intake['ended']>): Refused {
  const metadata = { accepted: String(accepted), rejected: String(rejected), resend_from: String(resendFrom) };
  const violations = errors.map((one) => violationOf(one, true));
  return new Refused({ ...faultOf(error), metadata, ...(violations.length > 0 && { violations }) });
}

const UNREADABLE = new Set<string>(['json_invalid', 'protobuf_invalid']);

function allRejected({ rejected, errors }: Intake, count: number): Refused {
  const isOne = count === 1;
  // For a single event the reason is sufficient.
  const message = errors.map(({ index, reason }) => (isOne ? reason : `event ${index}: ${reason}`)).join('; ');
  const reason = isOne && UNREADABLE.has(errors[0]!.rule) ? 'MALFORMED_REQUEST' : 'INVALID_FIELD';
  const violations = errors.map((one) => violationOf(one, !isOne));
  const metadata = { accepted: '0', rejected: String(rejected) };
  return new Refused({ code: 'INVALID_ARGUMENT', message, reason, violations, metadata });
}

const violationOf = ({ index, rule, field, reason }: EventError, isOfMany: boolean): FieldViolation => ({
  ...(isOfMany && { index }),
  ...(field !== undefined && { field }),
  description: reason,
  rule,
});

/** The caller's trace context, if valid: the events continue its trace. */
function traceOf({ headers: { traceparent, tracestate } }: FastifyRequest): TraceHeaders | undefined {
  if (typeof traceparent !== 'string') return undefined;
  const context = contextOf({ traceparent, tracestate: [tracestate ?? ''].flat().join(',') });
  return context && traceHeaders(context);
}
