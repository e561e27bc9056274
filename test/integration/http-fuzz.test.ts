/**
 * Whatever is asked, and whatever comes over the socket: no status above 499 but 503, and each answer is what the document says of its route,
 * or a problem, with an id. A connection that is closed without an answer is a failure.
 *
 * Each run asks something else: HTTP_FUZZ_SEED, as a run prints it, asks the same again.
 */
import { Agent } from 'node:http';
import fc from 'fast-check';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { apiDocument, type ApiDocument, type Operation, type Parameter } from '../connectors/http/api-document.js';
import { type Asked, asking, type HttpAnswer, httpFacade, type HttpFacade } from '../connectors/http/http-facade.js';
import { rawAnswers } from '../connectors/http/raw-answers.js';

const SEED = Number(process.env['HTTP_FUZZ_SEED'] ?? Date.now() % 2 ** 31);
const RUN = { seed: SEED, numRuns: 800 } as const;
/** Of each route these many requests have nothing wrong, so that the fuzz comes as far as the routes themselves. */
const SOUND_EACH = 8;
console.log(`HTTP_FUZZ_SEED=${SEED}`);

let facade: HttpFacade;
let document: ApiDocument;
let agent: Agent;

beforeEach(async () => {
  facade = await httpFacade({ limits: { bodyBytesMax: 4_096, requestMsMax: 2_000 } });
  document = await apiDocument(facade);
  agent = new Agent({ keepAlive: true, maxSockets: 4 });
  onTestFinished(() => agent.destroy());
});

/** Texts that have broken somebody's program before. */
const strange = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom('', '.', '..', '../..', 'random', '%', '%2', '%zz', '%00', '%ff', '%c0%af', '//', '/', 'a/b', '\0'),
  fc.constantFrom('__proto__', 'constructor', 'null', '-1', '1e9', '9007199254740993', 'NaN', '٣', '💥', '*', ':id'),
  fc.constantFrom('7-0', '7-1', '512', '1004856', 'electronics'),
  fc.integer({ min: 200, max: 4_000 }).map((length) => 'x'.repeat(length)),
);

/** As it stands, or escaped; never what no client can send. */
const inUrl = fc.oneof(
  { weight: 3, arbitrary: strange.map((text) => encodeURIComponent(Buffer.from(text).toString())) },
  { weight: 1, arbitrary: strange.map((text) => text.replaceAll(/[^!-"$-~]/g, '')) },
);

type Value = (parameter: Parameter) => fc.Arbitrary<string>;

const sound: Value = ({ schema, name }) => {
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as string[]));
  if (schema['type'] === 'boolean') return fc.constantFrom('true', 'false');
  const { minimum = 0, maximum = 100 } = schema as { minimum?: number; maximum?: number };
  if (schema['type'] === 'integer') return fc.integer({ min: minimum, max: maximum }).map(String);
  return fc.constant(name === 'item_id' ? '1004856' : '7-0');
};

const oftenSound: Value = (parameter) =>
  fc.oneof({ weight: 3, arbitrary: sound(parameter) }, { weight: 1, arbitrary: inUrl });

function pathOf({ path, parameters }: Operation, value: Value): fc.Arbitrary<string> {
  const ids = parameters.filter((one) => one.in === 'path');
  const named = parameters.filter((one) => one.in === 'query');
  const filled = fc
    .tuple(...ids.map(value))
    .map((values) => values.reduce((url, value, i) => url.replace(`{${ids[i]!.name}}`, () => value), path));
  const pair = fc.oneof(
    ...named.map((one) => value(one).map((given) => `${one.name}=${given}`)),
    fc.tuple(inUrl, inUrl).map(([name, value]) => `${name}=${value}`),
    inUrl,
  );
  const required = fc.tuple(
    ...named.filter((one) => one.required).map((one) => value(one).map((given) => `${one.name}=${given}`)),
  );
  const query = fc
    .tuple(required, fc.oneof(fc.constant([]), fc.array(pair, { maxLength: 3 })))
    .map((pairs) => pairs.flat().join('&'))
    .map((text) => (text === '' ? '' : `?${text}`));
  const asNamed = required.map((pairs) => (pairs.length === 0 ? '' : `?${pairs.join('&')}`));
  if (value === sound) return fc.tuple(filled, asNamed).map((parts) => parts.join(''));
  const end = fc.constantFrom('', '', '', '/', '//', ';x', '.json');
  return fc.tuple(filled, end, query).map((parts) => parts.join('').replaceAll('#', '%23'));
}

const headerValue = fc.oneof(strange, fc.constantFrom('*', 'W/"x"', 'text/html', '0', '12', 'https://a.example.com'));
const headerName = fc.constantFrom(
  ...['accept', 'if-none-match', 'last-event-id', 'x-request-id', 'origin', 'authorization', 'content-type', 'range'],
  ...['traceparent', 'accept-version', 'accept-encoding', 'expect', 'cookie', 'x-forwarded-for', 'te', 'if-match'],
);
const headers = fc
  .oneof(fc.constant([]), fc.array(fc.tuple(headerName, headerValue), { maxLength: 3 }))
  .map((pairs) => Object.fromEntries(pairs.map(([name, value]) => [name, value.replaceAll(/[^\t -~]/g, '')])));

const event = fc.record(
  {
    event_type: fc.oneof(fc.constantFrom('view', 'cart', 'rating'), fc.jsonValue({ maxDepth: 1 })),
    event_time: fc.oneof(fc.constant('2026-01-02T03:04:05.678Z'), fc.jsonValue({ maxDepth: 1 })),
    user_id: fc.oneof(fc.constant('512'), strange, fc.jsonValue({ maxDepth: 1 })),
    item_id: fc.oneof(fc.constant('i1'), fc.double()),
    price: fc.oneof(fc.double(), strange),
  },
  { requiredKeys: [] },
);
const SOUND_EVENT = { event_type: 'view', event_time: '2026-01-02T03:04:05.678Z', user_id: '512', item_id: 'i1' };
const body = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.constantFrom(JSON.stringify(SOUND_EVENT), JSON.stringify([SOUND_EVENT, {}]), '{"set":{"price":1}}'),
  },
  event.map((one) => JSON.stringify(one)),
  fc.array(event, { maxLength: 3 }).map((all) => JSON.stringify(all)),
  fc.array(event, { maxLength: 3 }).map((all) => all.map((one) => JSON.stringify(one)).join('\n')),
  fc.record({ set: fc.jsonValue(), event: fc.jsonValue() }, { requiredKeys: [] }).map((one) => JSON.stringify(one)),
  fc.json({ maxDepth: 4 }),
  fc.constantFrom('', '{', '[]', 'null', '{"__proto__":{"a":1}}', '{"constructor":{"prototype":{}}}', '[[[[[['),
  fc.integer({ min: 4_000, max: 20_000 }).map((length) => 'x'.repeat(length)),
  fc.uint8Array({ maxLength: 64 }),
);
const type = fc.constantFrom(
  'application/json',
  'application/x-ndjson',
  'text/plain',
  'application/json; charset=x',
  '',
);

const asked = (method: string): fc.Arbitrary<Asked> =>
  fc.tuple(headers, fc.option(fc.tuple(body, type), { nil: undefined })).map(([given, sent]): Asked => {
    if (sent === undefined || method === 'GET') return { method, headers: given };
    const [bytes, contentType] = sent;
    return { method, headers: { ...given, ...(contentType && { 'content-type': contentType }) }, body: bytes };
  });

/** Nothing is wrong with it, but for what two fields may say against each other. */
const soundly = (operation: Operation): fc.Arbitrary<Asked> =>
  fc.constantFrom(SOUND_EVENT, { set: { price: 1 } }).map((one) => ({
    method: operation.method,
    ...(operation.requestBody && { body: one }),
  }));

/** What of an answer is not as it should be, whatever was asked. */
function faultsOf({ status, headers: given, text }: HttpAnswer, method: string): string[] {
  const id = given['x-request-id'];
  const faults = [
    status >= 500 && status !== 503 ? `the status is ${status}` : '',
    typeof id === 'string' && id !== '' ? '' : 'it has no id',
  ];
  if (status >= 400 && method !== 'HEAD') {
    if (given['content-type'] !== 'application/problem+json') faults.push(`${status} is ${given['content-type']}`);
    else {
      const problem = JSON.parse(text) as { request_id: string; status: number };
      if (problem.request_id !== id || problem.status !== status) faults.push('the problem is of another answer');
      faults.push(...document.faultsIn('Problem', problem));
    }
  }
  return faults.filter(Boolean);
}

const isStream = ({ headers: given }: Pick<HttpAnswer, 'headers'>): boolean =>
  given['content-type'] === 'text/event-stream';

/** Reads an answer; of a stream, that it is one, and no further. */
async function answerTo(path: string, question: Asked): Promise<HttpAnswer> {
  const message = await asking(facade.port, path, { ...question, agent });
  const parts: Buffer[] = [];
  if (isStream(message)) message.destroy();
  else for await (const part of message) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  const { statusCode: status = 0, headers: given } = message;
  return { status, headers: given, text, json: undefined };
}

const balanced = async (): Promise<void> => {
  await expect.poll(() => facade.began.length - facade.requests.length).toBe(0);
  expect(facade.requests.filter(({ status }) => status >= 500 && status !== 503)).toEqual([]);
  expect((await facade.ask('/health')).status).toBe(200);
};

describe('whatever is asked', () => {
  it('of a route, it answers as the document says, or says what is wrong', async () => {
    const { operations } = document;
    const seen = new Set<string>();
    const question = fc.constantFrom(...operations).chain((operation) =>
      fc.record({
        operation: fc.constant(operation),
        path: pathOf(operation, oftenSound),
        question: asked(operation.method),
      }),
    );
    const sounds = operations.flatMap((operation) =>
      fc.sample(
        fc.record({ operation: fc.constant(operation), path: pathOf(operation, sound), question: soundly(operation) }),
        { seed: SEED, numRuns: SOUND_EACH },
      ),
    );
    await fc.assert(
      fc.asyncProperty(question, async ({ operation: { operationId, method }, path, question }) => {
        const before = facade.began.length;
        const answer = await answerTo(path, question);
        seen.add(`${operationId} ${answer.status}`);
        expect(faultsOf(answer, method)).toEqual([]);
        // A path that was mutated may lead to another route, or to none.
        const route = facade.began[before];
        const answering = operations.find((one) => `${one.method} ${one.path}` === route);
        if (answering === undefined) expect(answer.status, route).toBeGreaterThanOrEqual(400);
        else if (!isStream(answer)) expect(document.faultsOf(answering, answer), route).toEqual([]);
      }),
      { ...RUN, examples: sounds.map((one) => [one]) },
    );
    await balanced();
    // It came as far as the routes themselves, not only to what refuses.
    const refusedOnly = operations.filter(({ operationId }) => !seen.has(`${operationId} 200`));
    expect(refusedOnly.map(({ operationId }) => operationId)).toEqual([]);
  });

  it('by any method at any path, it answers', async () => {
    const method = fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT');
    const parts = fc.constantFrom(
      'reco',
      'trending',
      'stream',
      'docs',
      'ui',
      'events',
      'dead-letters',
      'retry',
      'items',
    );
    const path = fc
      .array(fc.oneof(parts, inUrl), { maxLength: 5 })
      .map((all) => `/${all.join('/')}`.replaceAll('#', '').slice(0, 6_000));
    await fc.assert(
      fc.asyncProperty(method, path, headers, async (one, at, given) => {
        const answer = await answerTo(at, { method: one, headers: given });
        expect(faultsOf(answer, one)).toEqual([]);
      }),
      RUN,
    );
    await balanced();
  });
});

describe('whatever comes over the socket', () => {
  const SOUND = 'GET /trending HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';
  const line = fc.constantFrom(
    ...[
      'GET / HTTP/1.1',
      'GET /reco/512 HTTP/1.1',
      'POST /events HTTP/1.1',
      'GET * HTTP/1.1',
      'GET http://a/ HTTP/1.1',
    ],
    ...[
      'get / HTTP/1.1',
      'GET / HTTP/9.9',
      'GET  / HTTP/1.1',
      'CONNECT a:1 HTTP/1.1',
      'GET /%00 HTTP/1.0',
      'GET /\x80 HTTP/1.1',
    ],
  );
  const field = fc.oneof(
    fc.constantFrom('host: a', 'host: a\r\nhost: b', 'transfer-encoding: chunked', 'transfer-encoding: x, chunked'),
    fc.constantFrom('content-length: 5', 'content-length: -1', 'content-length: 5\r\ntransfer-encoding: chunked'),
    fc.constantFrom(
      'expect: 100-continue',
      'expect: x',
      'upgrade: h2c\r\nconnection: upgrade',
      'content-type: application/json',
    ),
    fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  );
  const rest = fc.oneof(
    fc.constantFrom('', '5\r\nhello\r\n0\r\n\r\n', 'hello', '{"a":1}', 'zz\r\n', SOUND),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  );
  const message = fc
    .tuple(line, fc.array(field, { maxLength: 4 }), rest)
    .map(([first, fields, end]) => `${[first, ...fields, 'connection: close'].join('\r\n')}\r\n\r\n${end}`);
  const mutated = fc
    .tuple(
      fc.constant(SOUND),
      fc.nat(SOUND.length - 1),
      fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 4 }),
    )
    .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + put.length));
  const noise = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

  it('each connection has an answer before it is closed', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(message, mutated, noise), async (bytes) => {
        // Whatever it was so far: two empty lines end it, and what follows a body that is short.
        const text = await facade.sendRaw(Buffer.from(`${bytes}\r\n\r\n\r\n\r\n${'x'.repeat(64)}\r\n\r\n`, 'latin1'));
        const answers = rawAnswers(text);
        expect(answers.length).toBeGreaterThan(0);
        for (const answer of answers) expect(faultsOf(answer, 'GET')).toEqual([]);
      }),
      { ...RUN, numRuns: 300 },
    );
    await balanced();
  });
});
