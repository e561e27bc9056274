/** Ids of requests, trace context and metrics: by which a call is found again. */
import { create, toBinary } from '@bufbuild/protobuf';
import type { Metadata } from '@grpc/grpc-js';
import { Registry } from 'prom-client';
import { describe, expect, it, vi } from 'vitest';
import { CallError } from '../../connectors/grpc/client/call-error.js';
import type { EventPublisher } from '../../connectors/facade/ports.js';
import { EventSchema } from '../../proto/gen/rivulet/v1/event_pb.js';
import { GetRecommendationsRequestSchema } from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { CallMetrics } from '../../runtime/telemetry/call-metrics.js';
import { eventPublisher } from '../../runtime/node/publisher.js';
import { systemClock } from '../../runtime/contract/clock.js';
import type { Log } from '../../runtime/contract/ports.js';
import {
  anEvent,
  ANSWER,
  bareClient,
  facade,
  failure,
  messageOf,
  PUBLISH,
  RECOMMEND,
  sending,
} from '../connectors/grpc/facade.js';
import { hearer } from '../connectors/grpc/issuer.js';
import { eventually } from '../support/eventually.js';

const same = (bytes: Buffer): Buffer => bytes;
const asking = (userId: string): Buffer =>
  Buffer.from(toBinary(GetRecommendationsRequestSchema, create(GetRecommendationsRequestSchema, { userId })));

/** A call with these headers: the id in its initial metadata, and what became of it. */
function call(address: string, request: Buffer, headers: Record<string, string>) {
  let requestId: unknown;
  return new Promise<{ requestId: unknown; error: CallError | undefined }>((resolve) => {
    bareClient(address)
      .makeUnaryRequest(RECOMMEND, same, same, request, sending(headers), {}, (error) => {
        resolve({ requestId, error: error === null ? undefined : new CallError(error, address) });
      })
      .on('metadata', (initial: Metadata) => (requestId = initial.get('x-request-id')[0]));
  });
}

describe('the id of a request', () => {
  it('is that of the client, in the answer', async () => {
    const { address } = await facade();
    expect(await call(address, asking('512'), { 'x-request-id': 'shop/42:a' })).toMatchObject({
      requestId: 'shop/42:a',
    });
  });

  it.each([{}, { 'x-request-id': 'two words' }, { 'x-request-id': 'x'.repeat(129) }])(
    'is made when the client has none that is a plain word: %j',
    async (headers) => {
      const { address } = await facade();
      const [first, second] = [
        await call(address, asking('512'), headers),
        await call(address, asking('512'), headers),
      ];
      expect(first.requestId).toMatch(/^[\w-]{8,64}$/);
      expect(second.requestId).not.toBe(first.requestId);
    },
  );

  it('is in a refusal, and in the log', async () => {
    const { lines, logger } = hearer();
    const get = (): never => {
      throw new Error('a bug');
    };
    const { address, client } = await facade({ answers: { get }, logger });
    const { error } = await call(address, asking('512'), { 'x-request-id': 'r-1' });
    expect(error).toMatchObject({ status: 'INTERNAL', requestId: 'r-1' });
    expect(lines.filter((line) => line.includes('"requestId":"r-1"'))).toHaveLength(1);
    expect((await call(address, asking(''), { 'x-request-id': 'r-2' })).error).toMatchObject({
      reason: 'INVALID_FIELD',
      violations: [{ field: 'user_id' }],
      requestId: 'r-2',
    });
    // Of what the health library refuses, too.
    const unknown = await failure(client.health('nothing'));
    expect(unknown).toMatchObject({ status: 'NOT_FOUND', requestId: expect.stringMatching(/.{8}/) });
  });
});

describe('trace context', () => {
  const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

  async function publish(headers: Record<string, string>): Promise<unknown> {
    const published = vi.fn<Log['publish']>(() => Promise.resolve(1));
    const publisher: EventPublisher = eventPublisher({ publish: published }, systemClock);
    const { address } = await facade({ publisher });
    const event = toBinary(EventSchema, create(EventSchema, anEvent()));
    await new Promise<void>((resolve, reject) => {
      const stream = bareClient(address).makeClientStreamRequest(PUBLISH, same, same, sending(headers), {}, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
      stream.write(Buffer.from(messageOf(event)));
      stream.end();
    });
    return published.mock.calls[0]![2]?.headers;
  }

  it('of a publisher stands in the headers of its events', async () => {
    const headers = { traceparent: TRACE, tracestate: 'shop=1' };
    expect(await publish(headers)).toEqual({ 'Content-Type': 'application/x-protobuf', ...headers });
  });

  it('that is none is left out', async () => {
    expect(await publish({ traceparent: 'mine' })).toEqual({ 'Content-Type': 'application/x-protobuf' });
  });
});

describe('metrics', () => {
  it('count what began, ended and is under way, by method and status, by the names that others know', async () => {
    const registry = new Registry();
    const pending = new Promise<never>(() => undefined);
    const get = ({ userId }: { userId: string }) => (userId === 'slow' ? pending : ANSWER);
    const { client, address } = await facade({ answers: { get }, observer: new CallMetrics(registry) });
    for (const userId of ['1', '2']) await client.getRecommendations({ userId });
    await failure(client.getRecommendations({ userId: '' }));
    await client.health();
    const stop = new AbortController();
    const slow = failure(client.getRecommendations({ userId: 'slow' }, { signal: stop.signal }));
    const method = 'grpc_type="unary",grpc_service="rivulet.v1.RecommendationService",grpc_method="GetRecommendations"';
    await eventually(async () => expect(await registry.metrics()).toContain(`grpc_server_in_flight{${method}} 1`));
    stop.abort();
    await slow;
    await eventually(async () => expect(await registry.metrics()).toContain(`grpc_server_in_flight{${method}} 0`));
    const text = await registry.metrics();
    for (const line of [
      `grpc_server_started_total{${method}} 4`,
      `grpc_server_handled_total{${method},grpc_code="OK"} 2`,
      `grpc_server_handled_total{${method},grpc_code="INVALID_ARGUMENT"} 1`,
      `grpc_server_handled_total{${method},grpc_code="CANCELLED"} 1`,
      '# TYPE grpc_server_handling_seconds histogram',
      `grpc_server_handling_seconds_bucket{le="+Inf",${method}} 4`,
      `grpc_server_handling_seconds_count{${method}} 4`,
      'grpc_server_started_total{grpc_type="unary",grpc_service="grpc.health.v1.Health",grpc_method="Check"} 1',
    ]) {
      expect(text).toContain(line);
    }
    await call(address, asking('1'), {});
    expect(await registry.metrics()).toContain(`grpc_server_started_total{${method}} 5`);
  });
});
