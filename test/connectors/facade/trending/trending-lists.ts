/** Trending lists in hand, and subscribers of a façade without the typed client. */
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { type Client, type ClientReadableStream, Metadata } from '@grpc/grpc-js';
import { stateAfter, type TrendingState } from '../../../../connectors/grpc/client/trending.js';
import type {
  TrendingEntry,
  TrendingList,
  TrendingLists,
  TrendingQuery,
  TrendingRanking,
} from '../../../../connectors/facade/ports.js';
import {
  StreamTrendingRequestSchema,
  type StreamTrendingResponse,
  StreamTrendingResponseSchema,
} from '../../../../proto/gen/rivulet/v1/trending_service_pb.js';

const HOUR = { startMs: Date.UTC(2019, 9, 1), endMs: Date.UTC(2019, 9, 1, 1) };
const EMPTY: TrendingList = { revision: 0, asOfMs: undefined, window: undefined, items: [] };

/** An entry whose counts follow from its score. */
export const entry = (itemId: string, score: number, category?: string): TrendingEntry => ({
  ...{ itemId, score, views: score, clicks: 0, category, velocity: score / 2 },
});

/** `a:3 b:2`: a list of these items with these scores, best first. */
export const entries = (text: string): TrendingEntry[] =>
  text.split(' ').flatMap((one) => {
    const [itemId, score] = one.split(':');
    return itemId ? [entry(itemId, Number(score))] : [];
  });

export class HandLists implements TrendingLists {
  readonly rankings = new Set<TrendingRanking>(['score']);
  /** How often a list was asked for. */
  asked = 0;
  failure: Error | undefined;
  private readonly lists = new Map<string, TrendingList>();
  private readonly listeners = new Set<() => void>();

  get(query: TrendingQuery): TrendingList {
    this.asked++;
    if (this.failure !== undefined) throw this.failure;
    return this.lists.get(keyOf(query)) ?? EMPTY;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  get followers(): number {
    return this.listeners.size;
  }

  /** The next state of a list, of the hour by score unless said otherwise. */
  set(
    items: readonly TrendingEntry[],
    given: Partial<TrendingQuery & Pick<TrendingList, 'revision' | 'asOfMs'>> = {},
  ): void {
    const query = { window: 'hour', ranking: 'score', category: undefined, ...given } as const;
    const { revision = (this.lists.get(keyOf(query))?.revision ?? 0) + 1 } = given;
    const { asOfMs = HOUR.startMs + revision * 1000 } = given;
    this.lists.set(keyOf(query), { revision, asOfMs, window: HOUR, items });
    for (const listener of this.listeners) listener();
  }
}

const keyOf = ({ window, ranking, category = '' }: TrendingQuery): string => `${window} ${ranking} ${category}`;

const PATH = '/rivulet.v1.TrendingService/StreamTrending';

/** A subscriber that keeps what it was sent; `pause` stops it from reading. */
export class Subscriber {
  readonly messages: StreamTrendingResponse[] = [];
  state: TrendingState | undefined;
  readonly ended: Promise<{ readonly code?: number; readonly metadata?: Metadata }>;
  readonly call: ClientReadableStream<Buffer>;

  constructor(
    client: Client,
    request: MessageInitShape<typeof StreamTrendingRequestSchema> = {},
    state?: TrendingState,
  ) {
    this.state = state;
    const bytes = toBinary(StreamTrendingRequestSchema, create(StreamTrendingRequestSchema, request));
    const same = (buffer: Buffer): Buffer => buffer;
    this.call = client.makeServerStreamRequest(PATH, same, same, Buffer.from(bytes), new Metadata());
    this.ended = new Promise((resolve) => {
      this.call.on('error', (error) => resolve(error as never));
      this.call.on('end', () => resolve({}));
    });
    this.call.on('data', (data: Buffer) => this.take(data));
  }

  take(data: Uint8Array): void {
    const message = fromBinary(StreamTrendingResponseSchema, data);
    this.messages.push(message);
    this.state = stateAfter(this.state, message);
  }

  get kinds(): (string | undefined)[] {
    return this.messages.map(({ change }) => change.case);
  }

  /** `a:3 b:2`, as `entries` reads it. */
  get text(): string | undefined {
    return this.state?.items.map(({ itemId, score }) => `${itemId}:${score}`).join(' ');
  }
}
