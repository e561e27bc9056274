/** GetRecommendations over real sockets. */
import { create, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it, vi } from 'vitest';
import type { Answer, RecommendationQuery, SimilarItems } from '../../connectors/facade/ports.js';
import { GetRecommendationsRequestSchema } from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { poison, transient } from '../../runtime/contract/errors.js';
import { ANSWER, bareClient, deferred, facade, failure, RECOMMEND, sendBytes } from '../connectors/grpc/facade.js';
import { eventually } from '../support/eventually.js';

const METHOD = 'rivulet.v1.RecommendationService/GetRecommendations';
const never = new Promise<Answer>(() => undefined);

describe('an answer', () => {
  it('comes with all its fields', async () => {
    const item = { itemId: 'i', rank: 1, score: 0.1, category: 'c', type: 't', reason: 'because', title: 'An item' };
    const { client } = await facade({
      answers: { get: () => ({ items: [item], asOfMs: 1234.0, model: 'm', strategy: 'category-popularity' }) },
    });
    expect(await client.getRecommendations({ userId: '512', explain: true })).toEqual({
      userId: '512',
      items: [expect.objectContaining(item)],
      asOfMs: 1234,
      staleMs: undefined,
      model: 'm',
      strategy: 'category-popularity',
    });
  });

  it('comes from a method that was taken out of its client', async () => {
    const { client } = await facade();
    const { getRecommendations, streamTrending, health } = client;
    expect((await getRecommendations({ userId: '512' })).items).toHaveLength(2);
    expect(await health()).toBe('NOT_SERVING');
    expect((await failure(streamTrending().next())).status).toBe('UNIMPLEMENTED');
  });

  it('that may be out of date says so, and since how long', async () => {
    const { client } = await facade({ answers: { get: () => ({ ...ANSWER, staleMs: 6_250 }) } });
    expect(await client.getRecommendations({ userId: '512' })).toMatchObject({ staleMs: 6_250 });
  });

  it('may be empty, and of no time', async () => {
    const { client } = await facade({
      answers: { get: () => ({ items: [], model: '', strategy: 'category-popularity' }) },
    });
    const nothing = {
      userId: '512',
      items: [],
      asOfMs: undefined,
      staleMs: undefined,
      model: '',
      strategy: 'category-popularity',
    };
    expect(await client.getRecommendations({ userId: '512' })).toEqual(nothing);
  });

  it('is made for the checked question', async () => {
    const asked: RecommendationQuery[] = [];
    const { client } = await facade({ answers: { get: (query) => (asked.push(query), ANSWER) } });
    await client.getRecommendations({ userId: '512' });
    const most = { limit: 100, category: 'toys', excludeSeen: true, explain: true, strategy: 'hybrid' };
    await client.getRecommendations({ userId: 'ü', ...most });
    expect(asked).toEqual([
      { userId: '512', limit: 10, category: undefined, excludeSeen: false, explain: false, strategy: undefined },
      { userId: 'ü', ...most },
    ]);
  });

  it('may take time', async () => {
    const { client, calls } = await facade({ answers: { get: () => Promise.resolve(ANSWER) } });
    const { items } = await client.getRecommendations({ userId: '512', limit: 1 });
    expect(items.map(({ itemId }) => itemId)).toEqual(['1004856']);
    expect(calls).toEqual([{ method: METHOD, kind: 'unary', code: 'OK', ms: expect.any(Number) }]);
  });

  it('is given to a client that sends fields of a later version', async () => {
    const { address } = await facade();
    const known = toBinary(GetRecommendationsRequestSchema, create(GetRecommendationsRequestSchema, { userId: '512' }));
    const later = Buffer.concat([known, Uint8Array.of((15 << 3) | 0, 1, (14 << 3) | 2, 1, 65)]);
    expect((await sendBytes(bareClient(address), RECOMMEND, later)).length).toBeGreaterThan(20);
  });
});

describe('similar items', () => {
  const similar: SimilarItems = {
    get: ({ itemId, limit, category }) =>
      itemId === 'known'
        ? [{ itemId: 'other', rank: 1, score: 0.5, category: category ?? 'toys', price: limit }]
        : undefined,
  };

  it('are those of the item, with what is known of them', async () => {
    const { client } = await facade({ similar });
    expect(await client.similarItems({ itemId: 'known', limit: 3, category: 'kids' })).toEqual([
      expect.objectContaining({ itemId: 'other', rank: 1, score: 0.5, category: 'kids', price: 3 }),
    ]);
  });

  it('of an item that no event was about are NOT_FOUND, and of none are refused', async () => {
    const { client } = await facade({ similar });
    expect(await failure(client.similarItems({ itemId: 'never' }))).toMatchObject({ reason: 'ITEM_UNKNOWN' });
    expect(await failure(client.similarItems({ itemId: '' }))).toMatchObject({
      reason: 'INVALID_FIELD',
      message: expect.stringContaining('item_id: is required'),
    });
  });
});

describe('a bad question', () => {
  it.each([
    ['user_id', { userId: '' }],
    ['user_id', { userId: 'x'.repeat(257) }],
    ['limit', { userId: '512', limit: -1 }],
    ['limit', { userId: '512', limit: 101 }],
    ['category', { userId: '512', category: 'a\nb' }],
    ['strategy', { userId: '512', strategy: 'magic' }],
  ])('is refused by the name of the field: %s', async (field, request) => {
    const get = vi.fn(() => ANSWER);
    const { client, calls } = await facade({ answers: { get } });
    expect(await failure(client.getRecommendations(request))).toMatchObject({
      code: 'GRPC_INVALID_ARGUMENT',
      reaction: 'poison',
      reason: 'INVALID_FIELD',
      message: expect.stringContaining(`${field}: `),
      violations: [{ field, description: expect.stringMatching(/must|is required|take it out|is none of hybrid, /) }],
    });
    expect(get).not.toHaveBeenCalled();
    expect(calls).toMatchObject([{ code: 'INVALID_ARGUMENT' }]);
  });

  it('of broken bytes is refused as such', async () => {
    const { address } = await facade();
    const error = await failure(sendBytes(bareClient(address), RECOMMEND, Uint8Array.of(0x0a, 0x7f, 1)));
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'MALFORMED_REQUEST' });
    expect(error.message).toContain('rivulet.v1.GetRecommendationsRequest');
  });

  it('of more than 64 KiB is refused', async () => {
    const { address, calls } = await facade();
    const error = await failure(sendBytes(bareClient(address), RECOMMEND, new Uint8Array(2 ** 16 + 1)));
    expect(error).toMatchObject({ status: 'RESOURCE_EXHAUSTED', reason: 'REQUEST_TOO_LARGE' });
    expect(error.message).toContain('65537 bytes, and may have 65536');
    expect(calls).toMatchObject([{ code: 'RESOURCE_EXHAUSTED' }]);
  });

  it('of more than the transport takes is refused by its announced length', async () => {
    const { address, calls } = await facade();
    const error = await failure(sendBytes(bareClient(address), RECOMMEND, new Uint8Array(2 ** 20 + 1)));
    expect(error.status).toBe('RESOURCE_EXHAUSTED');
    await eventually(() => expect(calls).toHaveLength(1));
  });

  it('to a method that there is not is told so', async () => {
    const { address } = await facade();
    const error = await failure(
      sendBytes(bareClient(address), '/rivulet.v1.RecommendationService/Guess', new Uint8Array()),
    );
    expect(error).toMatchObject({ code: 'GRPC_UNIMPLEMENTED', reaction: 'fatal' });
  });
});

describe('a call that takes too long', () => {
  it('ends at its deadline, and the late answer goes nowhere', async () => {
    const late = deferred<Answer>();
    const { client, calls } = await facade({ answers: { get: () => late.promise } });
    const error = await failure(client.getRecommendations({ userId: '512' }, { deadlineMs: 5_000 }));
    expect(error).toMatchObject({ code: 'GRPC_DEADLINE_EXCEEDED', reaction: 'transient' });
    // Client and server each have a timer for the deadline: the server may hear of the client's first.
    const over = { code: expect.stringMatching(/DEADLINE_EXCEEDED|CANCELLED/) };
    await eventually(() => expect(calls).toMatchObject([over]));
    late.resolve(ANSWER);
    await late.promise;
    expect(calls).toHaveLength(1);
  });

  it('can be cancelled', async () => {
    const asked = deferred<undefined>();
    const get = (): Promise<Answer> => {
      asked.resolve(undefined);
      return never;
    };
    const { client, calls } = await facade({ answers: { get } });
    const stop = new AbortController();
    const call = failure(client.getRecommendations({ userId: '512' }, { signal: stop.signal }));
    await asked.promise;
    stop.abort();
    expect(await call).toMatchObject({ code: 'GRPC_CANCELLED' });
    await eventually(() => expect(calls).toMatchObject([{ code: 'CANCELLED' }]));
  });

  it('is not even sent when it is cancelled already', async () => {
    const get = vi.fn(() => ANSWER);
    const { client } = await facade({ answers: { get } });
    const error = await failure(client.getRecommendations({ userId: '512' }, { signal: AbortSignal.abort() }));
    expect(error.status).toBe('CANCELLED');
    expect(get).not.toHaveBeenCalled();
  });
});

describe('an answer that fails', () => {
  const thrown = (error: Error): { get(): Answer } => ({
    get: () => {
      throw error;
    },
  });

  it.each([
    ['at once', (error: Error) => thrown(error)],
    ['later', (error: Error) => ({ get: () => Promise.reject(error) })],
  ])('%s because something is away says when to come back', async (_, answers) => {
    const { client } = await facade({ answers: answers(transient('VIEW_RESTORING', 'the view is still being read')) });
    expect(await failure(client.getRecommendations({ userId: '512' }))).toMatchObject({
      code: 'GRPC_UNAVAILABLE',
      message: 'the view is still being read',
      reason: 'VIEW_RESTORING',
      retryAfterMs: 500,
    });
  });

  it('because of the question says so', async () => {
    const { client } = await facade({ answers: thrown(poison('LOG_PAYLOAD', 'there is no such category')) });
    const error = await failure(client.getRecommendations({ userId: '512' }));
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'LOG_PAYLOAD' });
  });

  it.each([
    ['throws', thrown(new Error('secret'))],
    ['cannot be written', { get: () => ({ ...ANSWER, items: [{ ...ANSWER.items[0]!, rank: -1 }] }) }],
  ])('because of a bug that %s tells the log, and the client only that there is one', async (_, answers) => {
    const error = vi.fn();
    const logger = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error };
    const { client } = await facade({ answers, logger });
    const seen = await failure(client.getRecommendations({ userId: '512' }));
    expect(seen).toMatchObject({ status: 'INTERNAL', message: 'internal error, the log of the node says more' });
    expect(error).toHaveBeenCalledWith(
      { err: expect.any(Error), request: METHOD, requestId: seen.requestId, unlogged: 0 },
      expect.any(String),
    );
  });
});

it('refuses more calls of one client at once than its limit, until some have ended', async () => {
  const held: ReturnType<typeof deferred<Answer>>[] = [];
  const get = (): Promise<Answer> => {
    held.push(deferred<Answer>());
    return held.at(-1)!.promise;
  };
  const { client } = await facade({ answers: { get }, limits: { callsPerClient: 2 } });
  const stop = new AbortController();
  const first = failure(client.getRecommendations({ userId: '1' }, { signal: stop.signal }));
  const second = client.getRecommendations({ userId: '2' });
  await eventually(() => expect(held).toHaveLength(2));

  const refused = { code: 'GRPC_RESOURCE_EXHAUSTED', reason: 'TOO_MANY_CALLS', retryAfterMs: 500 };
  expect(await failure(client.getRecommendations({ userId: '3' }))).toMatchObject(refused);
  // A cancelled call still has its work to finish.
  stop.abort();
  await first;
  expect(await failure(client.getRecommendations({ userId: '3' }))).toMatchObject(refused);

  held.forEach(({ resolve }) => resolve(ANSWER));
  await second;
  const third = client.getRecommendations({ userId: '3' });
  await eventually(() => expect(held).toHaveLength(3));
  held[2]!.resolve(ANSWER);
  await third;
});
