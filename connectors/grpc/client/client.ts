/** A typed client of the gRPC façade, for the CLI, the tests, and services in TypeScript. */
import { setMaxListeners } from 'node:events';
import { create, type DescMessage, type MessageInitShape } from '@bufbuild/protobuf';
import { durationMs, timestampMs } from '@bufbuild/protobuf/wkt';
import {
  type CallOptions as GrpcCallOptions,
  Client,
  type ClientOptions,
  Metadata,
  type MethodDefinition,
  type requestCallback,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from '../../../proto/gen/grpc/health/v1/health_pb.js';
import type { EventSchema } from '../../../proto/gen/rivulet/v1/event_pb.js';
import {
  EventService,
  PublishEventsRequestSchema,
  type PublishEventsResponse,
} from '../../../proto/gen/rivulet/v1/event_service_pb.js';
import {
  BatchGetRecommendationsRequestSchema,
  GetRecommendationsRequestSchema,
  type GetRecommendationsResponse,
  RecommendationService,
  SimilarItemsRequestSchema,
  StreamRecommendationsRequestSchema,
} from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { TrendingService } from '../../../proto/gen/rivulet/v1/trending_service_pb.js';
import { fatal } from '../../../runtime/contract/errors.js';
import { CallError } from './call-error.js';
import { followed, type StreamOptions, type Target } from './streams.js';
import { type TrendingRequest, trendingUpdates, type TrendingUpdate } from './trending.js';
import { type ClientTls, clientCredentials } from '../credentials.js';
import { sendEvents } from './event-sender.js';
import type { AnswerItem, SimilarEntry } from '../../facade/ports.js';
import { serviceDefinition } from '../server/service-definition.js';

export interface ConnectOptions {
  /** Absent: no TLS. */
  readonly tls?: ClientTls;
  /** A bearer token, or a function that returns the token for a new call. Only over TLS or on loopback: otherwise others could read it. */
  readonly token?: string | (() => string);
  /** Deadline of a unary call. */
  readonly deadlineMs?: number;
  /** Options of grpc-js; they override ours. */
  readonly channel?: ClientOptions;
}

export interface CallOptions {
  /** From now; PublishEvents has no deadline by default. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

type Fields<D extends DescMessage> = Omit<MessageInitShape<D>, '$typeName' | '$unknown'>;

export type RecommendationsRequest = Fields<typeof GetRecommendationsRequestSchema>;
export type BatchRequest = Fields<typeof BatchGetRecommendationsRequestSchema>;
export type SimilarRequest = Fields<typeof SimilarItemsRequestSchema>;
export type EventInit = MessageInitShape<typeof EventSchema>;

export interface Recommendations {
  readonly userId: string;
  readonly items: readonly AnswerItem[];
  /** Event time, epoch ms. */
  readonly asOfMs: number | undefined;
  /** How long the node has received no updates; `undefined`: the list is up to date. */
  readonly staleMs: number | undefined;
  readonly model: string;
  readonly strategy: string;
  /** Of the experiment: `name/arm`. */
  readonly arm: string | undefined;
}

export { CallError } from './call-error.js';
export type { StreamOptions } from './streams.js';
export type { RankedEntry, TrendingRequest, TrendingState, TrendingUpdate } from './trending.js';
export type { AnswerItem, SimilarEntry, TrendingEntry, TrendingRanking, TrendingWindow } from '../../facade/ports.js';

export interface PublishSummary {
  readonly accepted: number;
  readonly rejected: number;
  readonly errors: readonly {
    readonly index: number;
    /** `price_negative` */
    readonly rule: string;
    readonly field: string;
    readonly reason: string;
  }[];
}

export type ServingStatus = keyof typeof Serving;

/** A failed call rejects with a CallError, a failed stream throws one. */
export interface RivuletClient {
  getRecommendations(request: RecommendationsRequest, options?: CallOptions): Promise<Recommendations>;
  /** For 1 to 100 users, in the same order. */
  batchGetRecommendations(request: BatchRequest, options?: CallOptions): Promise<readonly Recommendations[]>;
  /** The items that users have seen together with an item. */
  similarItems(request: SimilarRequest, options?: CallOptions): Promise<readonly SimilarEntry[]>;
  /** The list now, after each change, and every 15 seconds. */
  streamRecommendations(request: RecommendationsRequest, options?: StreamOptions): AsyncGenerator<Recommendations>;
  /** The list now, and after each change. After a lost connection the stream resumes with what has changed meanwhile. */
  streamTrending(request?: TrendingRequest, options?: StreamOptions): AsyncGenerator<TrendingUpdate>;
  /**
   * Sends events, singly or in lists (which cost less per event), as fast as the node accepts them. When the source throws, the call is cancelled
   * and rejects with that error.
   */
  publishEvents(
    events: AsyncIterable<EventInit | readonly EventInit[]> | Iterable<EventInit | readonly EventInit[]>,
    options?: CallOptions,
  ): Promise<PublishSummary>;
  /** Of one service by its full name, or of the whole node. */
  health(service?: string, options?: CallOptions): Promise<ServingStatus>;
  /** Ends all streams; calls under way may finish. */
  close(): void;
}

const DEADLINE_MS = 5000;
/** grpc-js counts milliseconds in 32 bits: its servers treat a longer deadline as passed. */
const DEADLINE_MS_MAX = 2 ** 31 - 1000;
/** A hundred lists of a hundred items exceed the library's default of 4 MiB. */
const MESSAGE_BYTES_MAX = 16 * 2 ** 20;
/** Finds a connection that is lost without notice while a stream is idle. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
const RECOMMENDATIONS = serviceDefinition(RecommendationService);
const TRENDING = serviceDefinition(TrendingService);
const PUBLISH = serviceDefinition(EventService).publishEvents;
const HEALTH = serviceDefinition(Health).check;

/** Connects to `host:port` lazily: an address without a listener fails the first call. */
export async function connectRivulet(address: string, options: ConnectOptions = {}): Promise<RivuletClient> {
  const isExposed = options.token !== undefined && options.tls === undefined && !isLoopback(address);
  if (isExposed) {
    throw fatal('GRPC_TOKEN_EXPOSED', `a token would travel to ${address} without TLS`, { hint: 'connect with TLS' });
  }
  const client = new Client(address, await clientCredentials(options.tls), channelOptions(address, options));
  return new GrpcRivuletClient(client, address, options);
}

class GrpcRivuletClient implements RivuletClient {
  private readonly closing = new AbortController();

  constructor(
    private readonly client: Client,
    private readonly address: string,
    private readonly options: ConnectOptions,
  ) {
    // Each stream adds a listener.
    setMaxListeners(0, this.closing.signal);
    // So that methods can be destructured: `const { getRecommendations } = await connectRivulet(…)`.
    this.getRecommendations = this.getRecommendations.bind(this);
    this.batchGetRecommendations = this.batchGetRecommendations.bind(this);
    this.similarItems = this.similarItems.bind(this);
    this.streamRecommendations = this.streamRecommendations.bind(this);
    this.streamTrending = this.streamTrending.bind(this);
    this.publishEvents = this.publishEvents.bind(this);
    this.health = this.health.bind(this);
    this.close = this.close.bind(this);
  }

  async getRecommendations(request: RecommendationsRequest, call: CallOptions = {}): Promise<Recommendations> {
    const message = create(GetRecommendationsRequestSchema, request);
    return listOf(await this.unary(RECOMMENDATIONS.getRecommendations, message, call));
  }

  async batchGetRecommendations(request: BatchRequest, call: CallOptions = {}): Promise<readonly Recommendations[]> {
    const message = create(BatchGetRecommendationsRequestSchema, request);
    const { recommendations } = await this.unary(RECOMMENDATIONS.batchGetRecommendations, message, call);
    return recommendations.map(listOf);
  }

  async similarItems(request: SimilarRequest, call: CallOptions = {}): Promise<readonly SimilarEntry[]> {
    const { items } = await this.unary(RECOMMENDATIONS.similarItems, create(SimilarItemsRequestSchema, request), call);
    return items.map(({ category, ...item }) => ({ ...item, category }));
  }

  async *streamRecommendations(
    request: RecommendationsRequest,
    stream: StreamOptions = {},
  ): AsyncGenerator<Recommendations> {
    const message = create(StreamRecommendationsRequestSchema, request);
    const target = this.target(RECOMMENDATIONS.streamRecommendations);
    for await (const { recommendations } of followed(target, () => message, stream)) {
      if (recommendations !== undefined) yield listOf(recommendations);
    }
  }

  streamTrending(request: TrendingRequest = {}, stream: StreamOptions = {}): AsyncGenerator<TrendingUpdate> {
    return trendingUpdates(this.target(TRENDING.streamTrending), request, stream);
  }

  async publishEvents(
    events: AsyncIterable<EventInit | readonly EventInit[]> | Iterable<EventInit | readonly EventInit[]>,
    call: CallOptions = {},
  ): Promise<PublishSummary> {
    const { client, address } = this;
    const summary = await settled<PublishEventsResponse>(address, call.signal, (callback, fail) => {
      const { path, requestSerialize, responseDeserialize } = PUBLISH;
      const at = until(call.deadlineMs);
      const stream = client.makeClientStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        this.metadata(),
        at,
        callback,
      );
      sendEvents(events, stream, (list) => create(PublishEventsRequestSchema, { events: [...list] })).catch(fail);
      return stream;
    });
    const { accepted, rejected, errors } = summary;
    return {
      accepted: Number(accepted),
      rejected: Number(rejected),
      errors: errors.map(({ index, rule, field, reason }) => ({ index: Number(index), rule, field, reason })),
    };
  }

  async health(service = '', call: CallOptions = {}): Promise<ServingStatus> {
    const { status } = await this.unary(HEALTH, create(HealthCheckRequestSchema, { service }), call);
    return Serving[status] as ServingStatus;
  }

  close(): void {
    this.closing.abort();
    this.client.close();
  }

  private unary<Q, A>(method: MethodDefinition<Q, A>, request: Q, call: CallOptions): Promise<A> {
    const { client, address } = this;
    return settled(address, call.signal, (callback) => {
      const { path, requestSerialize, responseDeserialize } = method;
      const at = until(call.deadlineMs ?? this.options.deadlineMs ?? DEADLINE_MS);
      const metadata = this.metadata();
      return client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, at, callback);
    });
  }

  private target<Q, A>(method: MethodDefinition<Q, A>): Target<Q, A> {
    const { client, address } = this;
    return { client, address, method, metadata: () => this.metadata(), closing: this.closing.signal };
  }

  /** The metadata of a new call. */
  private metadata(): Metadata {
    const { token } = this.options;
    const sent = new Metadata();
    if (token !== undefined) sent.set('authorization', `Bearer ${typeof token === 'string' ? token : token()}`);
    return sent;
  }
}

const listOf = ({
  userId,
  items,
  asOf,
  model,
  strategy,
  arm,
  stale,
  age,
}: GetRecommendationsResponse): Recommendations => ({
  ...{ userId, items, model, strategy, arm: arm === '' ? undefined : arm },
  asOfMs: asOf && timestampMs(asOf),
  staleMs: stale ? (age === undefined ? 0 : durationMs(age)) : undefined,
});

const until = (deadlineMs: number | undefined): GrpcCallOptions =>
  deadlineMs === undefined ? {} : { deadline: Date.now() + Math.min(deadlineMs, DEADLINE_MS_MAX) };

const isLoopback = (address: string): boolean => /^(dns:\/*)?(localhost|127\.[\d.]+|\[::1\]):/.test(address);

/** A proxy set in the environment cannot reach this machine's loopback. */
function channelOptions(address: string, { tls, channel }: ConnectOptions): ClientOptions {
  return {
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    ...(isLoopback(address) ? { 'grpc.enable_http_proxy': 0 } : {}),
    ...(tls?.serverName === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': tls.serverName, 'grpc.default_authority': tls.serverName }),
    ...channel,
  };
}

/** A call as a promise; the signal cancels it, and `fail` rejects it with another error than its status. */
function settled<A>(
  address: string,
  signal: AbortSignal | undefined,
  start: (callback: requestCallback<A>, fail: (reason: Error) => void) => { cancel(): void },
): Promise<A> {
  return new Promise((resolve, reject) => {
    const cancel = (): void => call.cancel();
    const call = start((error: ServiceError | null, answer?: A) => {
      signal?.removeEventListener('abort', cancel);
      if (error === null) resolve(answer as A);
      else reject(new CallError(error, address));
    }, reject);
    if (signal?.aborted === true) cancel();
    else signal?.addEventListener('abort', cancel, { once: true });
  });
}
