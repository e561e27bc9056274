/** What a call shows of the traces that led to its answer: in its metadata, and in its span where a tracer listens. */
import { create, type DescMessage, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import type { Metadata } from '@grpc/grpc-js';
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Answer, EventPublisher } from '../../connectors/facade/ports.js';
import {
  BatchGetRecommendationsRequestSchema,
  GetRecommendationsRequestSchema,
  StreamRecommendationsRequestSchema,
} from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { StreamTrendingRequestSchema, TrendingWindow } from '../../proto/gen/rivulet/v1/trending_service_pb.js';
import type { TraceHeaders } from '../../runtime/telemetry/trace-context.js';
import {
  anEvent,
  ANSWER,
  bareClient,
  bytesOf,
  facade,
  messageOf,
  PUBLISH,
  sending,
} from '../connectors/grpc/facade.js';
import { HandLists } from '../connectors/facade/trending/trending-lists.js';
import { eventually } from '../support/eventually.js';

const exporter = new InMemorySpanExporter();
const same = (bytes: Buffer): Buffer => bytes;

const CALLER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const eventTrace = (n: number): TraceHeaders => ({
  traceparent: `00-${String(n).padStart(32, '0')}-00f067aa0ba902b7-01`,
  tracestate: `shop=${n}`,
});
/** User u7's list has taken in event 7; u0's none. */
const answerOf = (userId: string): Answer => {
  const n = Number(userId.slice(1));
  return { ...ANSWER, ...(n === 0 ? {} : { trace: eventTrace(n) }) };
};
const answers = { get: ({ userId }: { userId: string }) => answerOf(userId) };

/** Calls and gives the initial metadata; of a stream, that which came with its first message. */
async function announced<D extends DescMessage>(
  path: string,
  schema: D,
  init: MessageInitShape<D>,
  options: Parameters<typeof facade>[0] = {},
): Promise<Metadata> {
  const { address } = await facade({ answers, ...options });
  const request = Buffer.from(toBinary(schema, create(schema, init)));
  const headers = sending({ traceparent: CALLER, 'x-request-id': 'shop-42' });
  const isStream = path.includes('/Stream');
  return new Promise((resolve, reject) => {
    const client = bareClient(address);
    const call = isStream
      ? client.makeServerStreamRequest(path, same, same, request, headers)
      : client.makeUnaryRequest(path, same, same, request, headers, (error) => {
          if (error !== null) reject(error);
        });
    call.on('metadata', (metadata: Metadata) => {
      resolve(metadata);
      if (isStream) call.cancel();
    });
    call.on('error', (error: Error) => reject(error));
  });
}

const spanOf = (method: string): Promise<ReadableSpan> =>
  eventually(() => {
    const found = exporter.getFinishedSpans().find(({ name }) => name.endsWith(`/${method}`));
    expect(found).toBeDefined();
    return found!;
  });

const linksOf = ({ links }: ReadableSpan) =>
  links.map(({ context }) => `00-${context.traceId}-${context.spanId}-0${context.traceFlags}`);

beforeAll(() => {
  const spanProcessors = [new SimpleSpanProcessor(exporter)];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors }));
});
beforeEach(() => {
  exporter.reset();
});
afterAll(() => {
  trace.disable();
});

const SERVICE = '/rivulet.v1.RecommendationService';
// HTTP/2 joins what has one name.
const traces = (metadata: Metadata) =>
  metadata.get('rivulet-event-trace').flatMap((value) => String(value).split(', '));

describe('an answer names the traced events that it has taken in', () => {
  it('of one user', async () => {
    const metadata = await announced(`${SERVICE}/GetRecommendations`, GetRecommendationsRequestSchema, {
      userId: 'u7',
    });
    expect(traces(metadata)).toEqual([eventTrace(7).traceparent]);
    expect(metadata.get('x-request-id')).toEqual(['shop-42']);
    const span = await spanOf('GetRecommendations');
    expect(span).toMatchObject({
      kind: SpanKind.SERVER,
      name: 'rivulet.v1.RecommendationService/GetRecommendations',
      attributes: {
        'rpc.system': 'grpc',
        'rpc.service': 'rivulet.v1.RecommendationService',
        'rpc.method': 'GetRecommendations',
        'rpc.grpc.status_code': 'OK',
        'rivulet.request_id': 'shop-42',
      },
      parentSpanContext: { traceId: CALLER.slice(3, 35), spanId: CALLER.slice(36, 52) },
    });
    expect(linksOf(span)).toEqual([eventTrace(7).traceparent]);
    expect(span.links[0]!.context.traceState?.serialize()).toBe('shop=7');
  });

  it('of many, the first few', async () => {
    const userIds = ['u0', 'u3', 'u3', ...Array.from({ length: 20 }, (_, i) => `u${i + 1}`)];
    const path = `${SERVICE}/BatchGetRecommendations`;
    const metadata = await announced(path, BatchGetRecommendationsRequestSchema, { userIds });
    expect(traces(metadata)).toEqual([3, 1, 2, 4, 5, 6, 7, 8].map((n) => eventTrace(n).traceparent));
    expect(linksOf(await spanOf('BatchGetRecommendations'))).toHaveLength(20);
  });

  it('in a list that is followed, as it stands first', async () => {
    const changes = { ...answers, version: () => 1, onChange: () => () => undefined };
    const path = `${SERVICE}/StreamRecommendations`;
    const metadata = await announced(path, StreamRecommendationsRequestSchema, { userId: 'u7' }, { changes });
    expect(traces(metadata)).toEqual([eventTrace(7).traceparent]);
    expect(metadata.get('x-request-id')).toEqual(['shop-42']);
    expect(linksOf(await spanOf('StreamRecommendations'))).toEqual([eventTrace(7).traceparent]);
  });

  it('in trending lists', async () => {
    const trending = Object.assign(new HandLists(), { trace: () => eventTrace(5) });
    const path = '/rivulet.v1.TrendingService/StreamTrending';
    const query = { window: TrendingWindow.HOUR, limit: 3 };
    expect(traces(await announced(path, StreamTrendingRequestSchema, query, { trending }))).toEqual([
      eventTrace(5).traceparent,
    ]);
  });

  it('and none where there is none', async () => {
    const path = `${SERVICE}/GetRecommendations`;
    expect(traces(await announced(path, GetRecommendationsRequestSchema, { userId: 'u0' }))).toEqual([]);
    expect(linksOf(await spanOf('GetRecommendations'))).toEqual([]);
  });
});

describe('the span of a call', () => {
  it('is what its events come of', async () => {
    const published: (TraceHeaders | undefined)[] = [];
    const publisher: EventPublisher = {
      publish: (_event, context) => {
        published.push(context);
        return Promise.resolve();
      },
    };
    const { address } = await facade({ publisher });
    await new Promise<void>((resolve, reject) => {
      const headers = sending({ traceparent: CALLER, tracestate: 'shop=1' });
      const stream = bareClient(address).makeClientStreamRequest(PUBLISH, same, same, headers, (error) => {
        if (error === null) resolve();
        else reject(error);
      });
      stream.write(Buffer.from(messageOf(bytesOf(anEvent()))));
      stream.end();
    });
    const { traceId, spanId } = (await spanOf('PublishEvents')).spanContext();
    expect(traceId).toBe(CALLER.slice(3, 35));
    expect(published).toEqual([{ traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'shop=1' }]);
  });

  it('says whose fault it was', async () => {
    const broken = {
      get: (): never => {
        throw new Error('a bug');
      },
    };
    const path = `${SERVICE}/GetRecommendations`;
    const asked = announced(path, GetRecommendationsRequestSchema, { userId: 'u7' }, { answers: broken });
    await expect(asked).rejects.toMatchObject({ details: expect.any(String) });
    const span = await spanOf('GetRecommendations');
    expect(span.status.code).toBe(SpanStatusCode.ERROR);
    exporter.reset();
    await expect(announced(path, GetRecommendationsRequestSchema, { userId: '' })).rejects.toThrow();
    const refused = await spanOf('GetRecommendations');
    expect(refused.attributes['rpc.grpc.status_code']).toBe('INVALID_ARGUMENT');
    expect(refused.status.code).toBe(SpanStatusCode.UNSET);
  });
});
