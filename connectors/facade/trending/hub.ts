/**
 * Who follows trending lists, over gRPC or SSE: one computation per list and change, whoever follows.
 *
 *   TRENDING-HUB-1  a subscriber has at most one message on its way; when that is taken and the list has changed meanwhile, it gets one delta from what it
 *                   has to what is newest, or a snapshot when the list no longer knows what it has
 *   TRENDING-HUB-2  lists, and states per list, are bounded, and so are the lists that were made for one client: it leaves room for others. A list that
 *                   nobody follows is kept a minute for those who come back, then forgotten
 *   TRENDING-HUB-3  a list that cannot be read for a moment (it is being restored) stands as it last stood
 */
import { reactionOf } from '../../../runtime/contract/errors.js';
import type { Clock } from '../../../runtime/contract/ports.js';
import type { ApiError } from '../errors/fault.js';
import type { TrendingLists, TrendingQuery, TrendingRanking } from '../ports.js';
import { CoalescingTicker, turn } from './rounds.js';
import { type TrendingEncoder, TrendingFeed } from './feed.js';

/** A hundred states a second are more than anybody looks at; what a change waits for it is small beside the way to the client. */
const ROUND_EVERY_MS = 10;
export const HEARTBEAT_MS = 15_000;
const LISTS_MAX = 512;
/** That were made for one client; others may follow them too. */
const LISTS_PER_CLIENT = 128;
const KEPT_MS = 60_000;
/** Some milliseconds' worth of writing. */
const SERVED_PER_TURN = 128;

/** What goes on; `lists` are those in memory, followed or not. */
export interface TrendingCounts {
  readonly subscribers: number;
  readonly lists: number;
  readonly messagesEncoded: number;
  readonly messagesSent: number;
}

export interface TrendingPace {
  /** What a change may wait for others. */
  readonly roundEveryMs?: number;
  /** Messages that are written before other work has its turn. */
  readonly servedPerTurn?: number;
}

interface FollowedList {
  readonly query: TrendingQuery;
  readonly feed: TrendingFeed;
  readonly followers: Set<Follower>;
  /** For which it was made. */
  readonly client: string;
  /** Since when nobody follows. */
  idleSinceMs: number | undefined;
  /** The edition that all followers have been offered. */
  offered: number;
}

/** A stream of messages to one subscriber, of which at most one is on its way. */
export interface FollowerStream {
  /** Whether it may be sent a message now. */
  readonly isFree: boolean;
  /** When the last message was sent, by the clock of the hub; -Infinity before the first. */
  readonly sentAtMs: number;
  /** Only when it is free. */
  send(message: Buffer): void;
  /** Ends it for an error. */
  fail(error: unknown): void;
}

export interface StreamListener {
  /** It may be sent a message again. */
  onFree(): void;
  /** Once, however it ended. */
  onEnd(): void;
}

/** What somebody wants to follow. */
export interface Subscription {
  readonly query: TrendingQuery;
  readonly limit: number;
  /** What the caller has; `undefined`: nothing. */
  readonly afterRevision: number | undefined;
}

interface Follower {
  readonly stream: FollowerStream;
  /** The revision it has, once what is on its way has arrived, and the edition that it came with. */
  has: number | undefined;
  saw: number | undefined;
}

export class TrendingHub {
  private readonly lists = new Map<string, FollowedList>();
  /** How many were made for each client. */
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

  /** Says no more; streams are ended by who keeps them. */
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

  /** Opens a stream for a client, or gives why not; what cannot be read at all throws before anything is opened. */
  follow(
    wanted: Subscription,
    client: string,
    open: (listener: StreamListener) => FollowerStream,
  ): ApiError | undefined {
    const { query, limit, afterRevision } = wanted;
    if (!this.source.rankings.has(query.ranking)) return rankingNotMade(query.ranking);
    const list = this.listOf(query, limit, client);
    if ('reason' in list) return list;
    // What may throw, before anything is remembered of the stream.
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
    // Also to who has the newest: a first message says that the stream stands.
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

  /** Makes room: the list (of those made for a client) that nobody has followed for longest goes. False when all are followed. */
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
