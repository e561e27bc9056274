/** GET /dead-letters, GET /dead-letters/{id}, POST /dead-letters/{id}/retry: refused events, with the reason, and the retry. */
import { z } from 'zod';
import { RivuletError } from '../../../runtime/contract/errors.js';
import type { Change } from '../../../runtime/dead-letters/change.js';
import type { DeadLetter } from '../../../runtime/dead-letters/record.js';
import { EVENT_RULES } from '../../../actors/formats/limits.js';
import { type ApiError, faultOf } from '../../facade/errors/fault.js';
import { idText, timeOf, unchanged } from './fields.js';
import type { Gate } from '../server/gate.js';
import { nextCursor, refusePage, pageQuery, storedTime } from './ledger-fields.js';
import type { DeadLetters } from '../operations-ports.js';
import { problemSchema, Refused } from '../server/problem.js';
import { sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

const record = z
  .object({
    id: z.string(),
    stage: z.string().describe('The stage that refused it'),
    rule: z.string().describe('Name of the rule that it breaks'),
    field: z.string().optional().describe('The invalid field; absent when the whole event is invalid'),
    reason: z.string().describe('For people: what is wrong, and what would be right'),
    subject: z.string().optional().describe('Where it was published, as the stream has it'),
    sequence: z.number().optional().describe('Sequence of its message in that stream'),
    file: z.string().optional().describe('The file it was read from'),
    line: z.number().optional().describe('Line in the file, from 1'),
    index: z.number().describe('Position of the event within its message, from 0'),
    stored_at: storedTime('When it was published'),
    retried_at: storedTime('When it was sent again, last').optional(),
    original: z.string().optional().describe('What was published, if it is text'),
    original_base64: z.string().optional().describe('What was published, if it is not text'),
    original_bytes: z.int().describe('How many bytes were published'),
    original_url: z.string().optional().describe('URL of the complete original, when only its beginning is here'),
  })
  .meta({ id: 'DeadLetter' });

const page = z
  .object({ count: z.int(), items: z.array(record), next_cursor: nextCursor })
  .meta({ id: 'DeadLetterPage', description: 'Newest first' });

const retried = z
  .object({ id: z.string(), subject: z.string().describe('The subject it was published on again') })
  .meta({ id: 'RetriedDeadLetter' });

const truth = z.enum(['true', 'false'], 'must be true or false').transform((text) => text === 'true');

const listQuery = z.strictObject({
  ...pageQuery,
  rule: idText('Only those that break this rule').optional(),
  retried: truth.optional().describe('Only those that were retried (true), or only those that were not (false)'),
});

const LEVELS_MAX = 32;

const isWithin = (value: unknown, levels: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (levels > 0 && Object.values(value).every((one) => isWithin(one, levels - 1)));

const fields = (about: string) =>
  z
    .record(z.string(), z.unknown(), 'must be a JSON object')
    .refine((given) => isWithin(given, LEVELS_MAX), `must be nested at most ${LEVELS_MAX} levels deep`)
    .optional()
    .describe(about);

const change = z
  .strictObject(
    {
      set: fields('Fields to set in the original, which must be a JSON object; null takes one away'),
      event: fields('The event to send in place of the original'),
    },
    'must be a JSON object with set or event',
  )
  .refine(({ set, event }) => set === undefined || event === undefined, 'give set or event, not both')
  .nullish()
  .meta({ id: 'DeadLetterChange', not: { type: 'object', required: ['set', 'event'] } });

/** Of an original in JSON; longer ones are available as bytes. */
const SHOWN_BYTES_MAX = 2 ** 18;
const BYTES_TYPE = 'application/octet-stream';

const tags = ['Dead letters'];
const refusals = { '4xx': problemSchema, '5xx': problemSchema };
const params = z.object({ id: idText('As the list has it') });

export function deadLetterRoutes(app: App, deadLetters: DeadLetters, gate: Gate): void {
  listRoute(app, deadLetters, gate);
  recordRoute(app, deadLetters, gate);
  originalRoute(app, deadLetters, gate);
  retryRoute(app, deadLetters);
}

function listRoute(app: App, deadLetters: DeadLetters, gate: Gate): void {
  app.get(
    '/dead-letters',
    {
      schema: {
        ...{ tags, summary: 'List refused events, newest first', querystring: listQuery },
        response: { 200: page, 304: unchanged, ...refusals },
      },
    },
    async (request, reply) => {
      const { cursor: before, ...query } = request.query;
      const find = () => deadLetters.page({ ...query, before }).catch(refusePage);
      const { records, next } = await gate.during(request.raw, find);
      const items = records.map(shownRecord);
      sendJson(request, reply, JSON.stringify({ count: items.length, items, next_cursor: next }));
      return reply;
    },
  );
}

function recordRoute(app: App, deadLetters: DeadLetters, gate: Gate): void {
  app.get(
    '/dead-letters/:id',
    {
      schema: {
        ...{ tags, summary: 'Get one dead letter', params },
        response: { 200: record, 304: unchanged, 404: problemSchema, ...refusals },
      },
    },
    async (request, reply) => {
      const found = await gate.during(request.raw, () => deadLetters.find(request.params.id).catch(refuse));
      sendJson(request, reply, JSON.stringify(shownRecord(found)));
      return reply;
    },
  );
}

function originalRoute(app: App, deadLetters: DeadLetters, gate: Gate): void {
  app.get(
    '/dead-letters/:id/original',
    {
      schema: {
        ...{ tags, summary: 'Get the original bytes', params, produces: [BYTES_TYPE] },
        response: { 404: problemSchema, ...refusals },
      },
    },
    async (request, reply) => {
      const find = () => deadLetters.find(request.params.id).catch(refuse);
      const { id, original } = await gate.during(request.raw, find);
      return reply
        .header('content-type', BYTES_TYPE)
        .header('content-disposition', `attachment; filename="dead-letter-${id}"`)
        .header('x-content-type-options', 'nosniff')
        .serializer((bytes: unknown) => bytes as never)
        .send(Buffer.from(original.buffer, original.byteOffset, original.length));
    },
  );
}

function retryRoute(app: App, deadLetters: DeadLetters): void {
  app.post(
    '/dead-letters/:id/retry',
    {
      bodyLimit: EVENT_RULES.messageBytesMax,
      schema: {
        ...{ tags, params, body: change },
        summary: 'Publish one again, as it is or corrected',
        description:
          'Publishes the event where it was published first, and marks the record. Answers when the event is stored. One that would be refused again, or has fields that nobody reads, is not sent.',
        querystring: z.strictObject({
          again: truth.default(false).describe('Even if it was retried already'),
        }),
        response: { 200: retried, 404: problemSchema, 409: problemSchema, ...refusals },
      },
    },
    ({ params: { id }, body, query }) => deadLetters.retry(id, changeOf(body), query).catch(refuse),
  );
}

function changeOf(body: z.output<typeof change>): Change {
  if (body?.event !== undefined) return { kind: 'event', data: Buffer.from(JSON.stringify(body.event)) };
  return body?.set === undefined ? { kind: 'none' } : { kind: 'set', fields: body.set };
}

function shownRecord(one: DeadLetter): z.input<typeof record> {
  const { id, stage, rule, field, reason, subject, sequence, file, line, index, originalBytes } = one;
  const original = one.original.subarray(0, SHOWN_BYTES_MAX);
  const isCut = original.length < originalBytes;
  const text = textOf(original, isCut);
  return {
    ...{ id, stage, rule, field, reason },
    subject: subject === '' ? undefined : subject,
    ...{ sequence, file, line, index },
    stored_at: timeOf(one.storedAtMs)!,
    retried_at: timeOf(one.retriedAtMs),
    original_bytes: originalBytes,
    original_url: isCut ? `/dead-letters/${id}/original` : undefined,
    ...(text === undefined ? { original_base64: Buffer.from(original).toString('base64') } : { original: text }),
  };
}

/** `undefined` when it is not UTF-8; the last character of a truncated text may be incomplete. */
function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: isCut });
  } catch {
    return undefined;
  }
}

const CODES: Readonly<Record<string, Partial<ApiError>>> = {
  DEAD_LETTER_UNKNOWN: { code: 'NOT_FOUND' },
  DEAD_LETTER_RETRIED: { code: 'ALREADY_EXISTS' },
  DEAD_LETTER_BUSY: { code: 'ABORTED', retryAfterMs: 1_000 },
};

const HOW: Readonly<Record<string, string>> = {
  DEAD_LETTER_UNKNOWN: 'GET /dead-letters lists them; the oldest are dropped when the queue is full',
  DEAD_LETTER_RETRIED: 'send it once more with ?again=true',
  DEAD_LETTER_BUSY: 'check whether it was retried; where that was interrupted, it can be retried after half a minute',
  DEAD_LETTER_CHANGE: 'send the complete corrected event, as {"event": …}',
  DEAD_LETTER_UNMENDED: 'correct it with {"set": {"field": …}}, or send a complete one, as {"event": …}',
};

function refuse(error: unknown): never {
  if (!(error instanceof RivuletError)) throw error;
  const { code, message } = error;
  const fault = faultOf(error);
  const how = HOW[code];
  throw new Refused({ ...fault, ...CODES[code], message: how === undefined ? fault.message : `${message}: ${how}` });
}
