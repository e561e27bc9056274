/** A server of the API on the real wire whose answers are scripted: what its clients make of them can be said in advance. */
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Metadata,
  Server,
  type ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { serviceDefinition } from '../../connectors/grpc/server/service-definition.js';
import { type ApiError, invalidFields } from '../../connectors/facade/errors/fault.js';
import { refusal } from '../../connectors/grpc/server/status-details.js';
import {
  type BatchGetRecommendationsRequest,
  type BatchGetRecommendationsResponse,
  BatchGetRecommendationsResponseSchema,
  type GetRecommendationsRequest,
  type GetRecommendationsResponse,
  GetRecommendationsResponseSchema,
  RecommendationService,
  type StreamRecommendationsRequest,
  type StreamRecommendationsResponse,
  StreamRecommendationsResponseSchema,
} from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import {
  type StreamTrendingRequest,
  type StreamTrendingResponse,
  StreamTrendingResponseSchema,
  TrendingService,
} from '../../proto/gen/rivulet/v1/trending_service_pb.js';

/** How long the node asks its subscribers to wait when it ends their streams. */
export const RETRY_AFTER_MS = 250;
/** A user whose lists never come. */
export const SLOW_USER = 'slow';
/** What the scripts below come to, as the example clients print it. */
export const LISTS = ['ann: p-1 12.50, p-2 3.25', 'ann: p-2 20.00'];
export const TRENDING = [
  'revision 3: a 10.00, b 5.00, c 1.00',
  'revision 5: d 12.00, a 11.00, b 5.00',
  'revision 9: d 12.00, a 11.00, b 6.00',
];

export interface ScriptedNode {
  readonly address: string;
  /** `authorization` of each call. */
  readonly tokens: (string | undefined)[];
  readonly trendingRequests: (StreamTrendingRequest & { readonly atMs: number })[];
  /** When the node ended a stream with UNAVAILABLE. */
  readonly endedAtMs: number[];
  stop(): void;
}

export async function startScriptedNode(credentials: ServerCredentials): Promise<ScriptedNode> {
  const server = new Server();
  const node = { tokens: [], trendingRequests: [], endedAtMs: [] } as Omit<ScriptedNode, 'address' | 'stop'>;
  const note = (metadata: Metadata): void =>
    void node.tokens.push(metadata.get('authorization')[0] as string | undefined);
  const end = (stream: ServerWritableStream<unknown, unknown>): void => {
    node.endedAtMs.push(performance.now());
    stream.emit('error', refusal({ ...STOPS, retryAfterMs: RETRY_AFTER_MS }));
  };
  const subscribers = new Map<string, number>();

  server.addService(serviceDefinition(RecommendationService), {
    getRecommendations(
      { request, metadata }: ServerUnaryCall<GetRecommendationsRequest, GetRecommendationsResponse>,
      reply: sendUnaryData<GetRecommendationsResponse>,
    ) {
      note(metadata);
      if (request.userId === '') reply(refusal(invalidFields([{ field: 'user_id', description: 'is required' }])));
      else if (request.userId !== SLOW_USER) reply(null, listOf(request.userId, FIRST));
    },
    batchGetRecommendations(
      { request }: ServerUnaryCall<BatchGetRecommendationsRequest, BatchGetRecommendationsResponse>,
      reply: sendUnaryData<BatchGetRecommendationsResponse>,
    ) {
      const recommendations = request.userIds.map((userId) => listOf(userId, FIRST));
      reply(null, create(BatchGetRecommendationsResponseSchema, { recommendations }));
    },
    streamRecommendations(stream: ServerWritableStream<StreamRecommendationsRequest, StreamRecommendationsResponse>) {
      const { userId } = stream.request;
      const before = subscribers.get(userId) ?? 0;
      subscribers.set(userId, before + 1);
      const recommendations = listOf(userId, before === 0 ? FIRST : { 'p-2': 20 });
      stream.write(create(StreamRecommendationsResponseSchema, { recommendations }));
      if (before === 0) end(stream);
    },
  });
  server.addService(serviceDefinition(TrendingService), {
    streamTrending(stream: ServerWritableStream<StreamTrendingRequest, StreamTrendingResponse>) {
      note(stream.metadata);
      node.trendingRequests.push(Object.assign(stream.request, { atMs: performance.now() }));
      for (const message of SCRIPTS.get(stream.request.afterRevision) ?? []) {
        stream.write(create(StreamTrendingResponseSchema, message));
      }
      if (stream.request.afterRevision === 0n) end(stream);
    },
  });

  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  return { ...node, address: `127.0.0.1:${port}`, stop: () => server.forceShutdown() };
}

const STOPS: ApiError = { code: 'UNAVAILABLE', message: 'the node stops', reason: 'NODE_STOPS' };
const FIRST = { 'p-1': 12.5, 'p-2': 3.25 };

const listOf = (userId: string, scores: Readonly<Record<string, number>>): GetRecommendationsResponse =>
  create(GetRecommendationsResponseSchema, {
    userId,
    items: Object.entries(scores).map(([itemId, score], i) => ({ itemId, score, rank: i + 1, type: 'scripted' })),
    asOf: timestampFromMs(Date.UTC(2026, 10, 1)),
    model: 'scripted',
  });

const item = (itemId: string, rank: number, score: number) => ({ itemId, rank, score, views: score, clicks: 0 });

/** What a subscriber is sent, by the revision that it resumes from. */
const SCRIPTS = new Map<bigint, MessageInitShape<typeof StreamTrendingResponseSchema>[]>([
  [
    0n,
    [
      {
        revision: 3n,
        change: { case: 'snapshot', value: { items: [item('a', 1, 10), item('b', 2, 5), item('c', 3, 1)] } },
      },
      { revision: 3n, change: { case: 'heartbeat', value: {} } },
      {
        revision: 5n,
        change: {
          case: 'delta',
          value: {
            fromRevision: 3n,
            left: ['c'],
            entered: [item('d', 1, 12)],
            moved: [item('a', 2, 11), item('b', 3, 5)],
          },
        },
      },
    ],
  ],
  [5n, [{ revision: 9n, change: { case: 'delta', value: { fromRevision: 5n, moved: [item('b', 3, 6)] } } }]],
]);
