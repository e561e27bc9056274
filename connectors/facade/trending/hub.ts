/**
 * Subscriptions to trending lists, over gRPC or SSE: one computation per list and change, for any number of subscribers.
 *
 *   TRENDING-HUB-1  a subscriber has at most one message under way; when it is delivered and the list has changed meanwhile, the subscriber gets one
 *   delta
 *                   from its state to the newest, or a snapshot when its state is forgotten
 *   TRENDING-HUB-2  lists, states per list, and lists opened by one client are bounded: each client leaves room for others. A list
 *                   without followers is retained for a minute for clients that return, then forgotten
 *   TRENDING-HUB-3  a list that cannot be read for a moment (during recovery) keeps its last state
 */
import { reactionOf } from '../../../runtime/contract/errors.js';
import type { Clock } from '../../../runtime/contract/ports.js';
import type { ApiError } from '../errors/fault.js';
import type { TrendingLists, TrendingQuery, TrendingRanking } from '../ports.js';
import { CoalescingTicker, turn } from './rounds.js';
import { type TrendingEncoder, TrendingFeed } from './feed.js';

/** More than a hundred states a second are of no use to a viewer; the delay is small compared with the way to the client. */
const ROUND_EVERY_MS = 10;
export const HEARTBEAT_MS = 15_000;
const LISTS_MAX = 512;
/** Opened by one client; others may follow them too. */
const LISTS_PER_CLIENT = 128;
const KEPT_MS = 60_000;
/** Some milliseconds of writing. */
const SERVED_PER_TURN = 128;

/** Counters; `lists` are those in memory, followed or not. */
export interface TrendingCounts {
  readonly subscribers: number;
  readonly lists: number;
  readonly messagesEncoded: number;
  readonly messagesSent: number;
}

export interface TrendingPace {
  /** The longest delay of a change. */
  readonly roundEveryMs?: number;
  /** Messages written before other work gets a turn. */
  readonly servedPerTurn?: number;
}

interface FollowedList {
  readonly query: TrendingQuery;
  readonly feed: TrendingFeed;
  readonly followers: Set<Follower>;
  /** The client that it was opened for. */
  readonly client: string;
  /** Since when it has no followers. */
  idleSinceMs: number | undefined;
  /** The edition that all followers have been offered. */
  offered: number;
}

/** A stream of messages to one subscriber, with at most one under way. */
export interface FollowerStream {
  /** Whether it can accept a message now. */
  readonly isFree: boolean;
  /** When the last message was sent, by the clock of the hub; -Infinity before the first. */
  readonly sentAtMs: number;
  /** Only when it is free. */
  send(message: Buffer): void;
  /** Ends the stream with an error. */
  fail(error: unknown): void;
}

export interface StreamListener {
  /** It can accept a message again. */
  onFree(): void;
  /** Called once, however it ended. */
  onEnd(): void;
}

/** A request to follow a list. */
export interface Subscription {
  readonly query: TrendingQuery;
  readonly limit: number;
  /** The revision that the caller has; `undefined`: none. */
  readonly afterRevision: number | undefined;
}

interface Follower {
  readonly stream: FollowerStream;
  /** The revision that it will have after the message under way, and the edition that came with it. */
  has: number | undefined;
  saw: number | undefined;
}

export class TrendingHub {
  private readonly lists = new Map<string, FollowedList>();
  /** The number of lists opened by each client. */
  private readonly madeFor = new Map<string, number>();
  private readonly rounds: CoalescingTicker;
  private readonly unfollow: () => void;
  private encodedBefore = 0;
  private sent = 0;
  private readonly servedPerTurn: number;

  constructor(
    private readonly source: TrendingLists,
    private readonly encoder: TrendingEncoder,
    private readonly clock: Clock,
    { roundEveryMs = ROUND_EVERY_MS, servedPerTurn = SERVED_PER_TURN }: TrendingPace = {},
  ) {
    this.servedPerTurn = servedPerTurn;
    this.rounds = new CoalescingTicker(clock, roundEveryMs, (isTick) => this.visit(isTick));
    this.unfollow = source.onChange(() => {
      if (this.lists.size > 0) this.rounds.wake();
    });
    void this.rounds.run();
  }

  /** Sends no more; their owners end the streams. */
  stop(): void {
    this.unfollow();
    this.rounds.stop();
  }

  counts(): TrendingCounts {
    const all = [...this.lists.values()];
    return {
      subscribers: all.reduce((sum, { followers }) => sum + followers.size, 0),
      lists: all.length,
      messagesEncoded: all.reduce((sum, { feed }) => sum + feed.encoded, this.encodedBefore),
      messagesSent: this.sent,
    };
  }

  /** Opens a stream for a client, or returns why not; an unreadable list throws before anything is opened. */
  follow(
    wanted: Subscription,
    client: string,
    open: (listener: StreamListener) => FollowerStream,
  ): ApiError | undefined {
    const { query, limit, afterRevision } = wanted;
    if (!this.source.rankings.has(query.ranking)) return rankingNotMade(query.ranking);
    const list = this.listOf(query, limit, client);
    if ('reason' in list) return list;
    // This may throw, so it runs before the stream is recorded.
    list.feed.messageFor(afterRevision);
    const stream = open({
      onFree: () => this.serve(list, follower, this.clock.monotonicMs()),
      onEnd: () => {
        list.followers.delete(follower);
        if (list.followers.size === 0) list.idleSinceMs = this.clock.monotonicMs();
      },
    });
    const follower: Follower = { stream, has: afterRevision, saw: undefined };
    list.followers.add(follower);
    list.idleSinceMs = undefined;
    // Also to a subscriber with the newest state: the first message confirms the stream.
    this.send(list, follower);
    return undefined;
  }

  private listOf(query: TrendingQuery, limit: number, client: string): FollowedList | ApiError {
    const key = `${query.window} ${query.ranking} ${limit} ${query.category ?? ''}`;
    const now = this.source.get(query);
    const known = this.lists.get(key);
    if (known !== undefined) {
      known.feed.observe(now);
      return known;
    }
    const made = this.madeFor.get(client) ?? 0;
    if (made >= LISTS_PER_CLIENT && !this.forgetIdle(client)) return tooManyLists(client);
    if (this.lists.size >= LISTS_MAX && !this.forgetIdle()) return TOO_MANY_LISTS;
    const feed = new TrendingFeed(now, limit, this.encoder);
    const list: FollowedList = {
      ...{ query, feed, client, followers: new Set<Follower>(), offered: feed.edition },
      idleSinceMs: this.clock.monotonicMs(),
    };
    this.lists.set(key, list);
    this.count(client, 1);
    return list;
  }

  /** Makes room: removes the list (among those opened by a client) that has been without followers longest. False when all have followers. */
  private forgetIdle(client?: string): boolean {
    const idle = [...this.lists].filter(
      ([, list]) => list.followers.size === 0 && (client === undefined || list.client === client),
    );
    idle.sort(([, a], [, b]) => (a.idleSinceMs ?? 0) - (b.idleSinceMs ?? 0));
    const [first] = idle;
    if (first !== undefined) this.forget(...first);
    return first !== undefined;
  }

  private forget(key: string, { feed, client }: FollowedList): void {
    this.encodedBefore += feed.encoded;
    this.lists.delete(key);
    this.count(client, -1);
  }

  private count(client: string, lists: number): void {
    const now = (this.madeFor.get(client) ?? 0) + lists;
    if (now === 0) this.madeFor.delete(client);
    else this.madeFor.set(client, now);
  }

  private async visit(isTick: boolean): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    let served = 0;
    for (const [key, list] of this.lists) {
      if (list.idleSinceMs !== undefined && nowMs - list.idleSinceMs >= KEPT_MS) {
        this.forget(key, list);
        continue;
      }
      this.observe(list);
      const { edition } = list.feed;
      if (list.offered === edition && !isTick) continue;
      list.offered = edition;
      for (const follower of list.followers) {
        this.serve(list, follower, nowMs);
        if (++served % this.servedPerTurn === 0) await turn();
      }
    }
  }

  private observe({ query, feed, followers }: FollowedList): void {
    try {
      feed.observe(this.source.get(query));
    } catch (error) {
      if (reactionOf(error) === 'transient') return;
      for (const { stream } of followers) stream.fail(error);
    }
  }

  private serve(list: FollowedList, follower: Follower, nowMs: number): void {
    if (!follower.stream.isFree) return;
    const isDue = nowMs - follower.stream.sentAtMs >= HEARTBEAT_MS;
    if (follower.saw !== list.feed.edition || isDue) this.send(list, follower);
  }

  private send({ feed }: FollowedList, follower: Follower): void {
    try {
      follower.stream.send(feed.messageFor(follower.has, follower.saw));
    } catch (error) {
      follower.stream.fail(error);
      return;
    }
    follower.has = feed.revision;
    follower.saw = feed.edition;
    this.sent++;
  }
}

const TOO_MANY_LISTS: ApiError = {
  code: 'RESOURCE_EXHAUSTED',
  message: `${LISTS_MAX} different trending lists are followed on this node: subscribe to one of them, or at another node`,
  reason: 'TOO_MANY_LISTS',
  retryAfterMs: KEPT_MS,
};

const tooManyLists = (client: string): ApiError => ({
  ...TOO_MANY_LISTS,
  message: `${LISTS_PER_CLIENT} different trending lists are followed for this client: share them, or end some`,
  client,
});

export const rankingNotMade = (ranking: TrendingRanking): ApiError => ({
  code: 'FAILED_PRECONDITION',
  message: `this deployment does not make the ranking ${ranking}: name it in the setting pipeline.trending.rankings of its nodes`,
  reason: 'RANKING_NOT_MADE',
  metadata: { setting: 'pipeline.trending.rankings' },
});
