/**
 * StreamRecommendations: the complete list of one user now, and after each change.
 *
 *   RECOMMENDATION-STREAM-1  a list is read when one of its sources has changed (its version), and sent when it differs, apart from the time, from the
 *                            last one sent
 *   RECOMMENDATION-STREAM-2  a subscriber has at most one message in flight; a slow one gets the list as it is when the last message was read
 */
import { StreamRecommendationsRequestSchema } from '../../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { reactionOf } from '../../../runtime/contract/errors.js';
import type { Clock } from '../../../runtime/contract/ports.js';
import { streamedBytes } from '../codec/answer-bytes.js';
import type { ServerContext } from '../server/server-context.js';
import type { CallSpan } from '../server/call-span.js';
import { spanOf } from '../server/intercepted-call.js';
import { type ByteStream, CallStream, refuse } from './call-stream.js';
import type { Answer, RecommendationChanges, RecommendationQuery } from '../../facade/ports.js';
import { queryOf } from './request-fields.js';
import { readRequest } from './request-reading.js';
import { CoalescingTicker, turn } from '../../facade/trending/rounds.js';

/** Versions are compared twenty times a second; a page shows no more. */
const ROUND_EVERY_MS = 50;
const RESEND_MS = 15_000;
/** Answers for some milliseconds. */
const UPDATES_PER_TURN = 64;

export class RecommendationHub {
  private readonly followers = new Set<Follower>();
  private readonly rounds: CoalescingTicker;
  private readonly unfollow: () => void;

  constructor(
    private readonly changes: RecommendationChanges,
    private readonly context: ServerContext,
    private readonly clock: Clock,
  ) {
    this.rounds = new CoalescingTicker(clock, ROUND_EVERY_MS, () => this.visit());
    this.unfollow = changes.onChange(() => {
      if (this.followers.size > 0) this.rounds.wake();
    });
    void this.rounds.run();
  }

  /** Sends no more; the streams are ended by their owner. */
  stop(): void {
    this.unfollow();
    this.rounds.stop();
  }

  readonly streamRecommendations = (call: ByteStream): void => {
    const read = readRequest(StreamRecommendationsRequestSchema, call.request, queryOf);
    if ('fault' in read) {
      refuse(call, read.fault);
      return;
    }
    const stream = new CallStream(call, this.context, {
      onFree: () => follower.update(this.clock.monotonicMs()),
      onEnd: () => this.followers.delete(follower),
    });
    const follower = new Follower(stream, spanOf(call), read.query, this.changes);
    this.followers.add(follower);
    follower.update(this.clock.monotonicMs());
  };

  private async visit(): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    let updated = 0;
    for (const follower of this.followers) {
      if (follower.update(nowMs) && ++updated % UPDATES_PER_TURN === 0) await turn();
    }
  }
}

/** Before the first version: no port returns it. */
const NONE = Symbol('no version');

class Follower {
  private version: unknown = NONE;
  /** The last list sent, without the time; `undefined`: none yet. */
  private sent: Buffer | undefined;
  private isReading = false;

  constructor(
    private readonly stream: CallStream,
    private readonly span: CallSpan | undefined,
    private readonly query: RecommendationQuery,
    private readonly changes: RecommendationChanges,
  ) {}

  /** Reads the list, if there may be something to send; returns whether it did. */
  update(nowMs: number): boolean {
    if (this.isReading || !this.stream.isFree) return false;
    try {
      // Read before the answer: a change in between is seen in the next round.
      const version = this.changes.version(this.query);
      const isDue = nowMs - this.stream.sentAtMs >= RESEND_MS;
      if (version === this.version && !isDue) return false;
      const answer = this.changes.get(this.query);
      if ('then' in answer) void this.later(answer, version, isDue);
      else this.send(answer, version, isDue);
    } catch (error) {
      this.failed(error);
    }
    return true;
  }

  private async later(answer: Promise<Answer>, version: unknown, isDue: boolean): Promise<void> {
    this.isReading = true;
    try {
      const now = await answer;
      if (this.stream.isFree) this.send(now, version, isDue);
    } catch (error) {
      this.failed(error);
    } finally {
      this.isReading = false;
    }
  }

  private send(answer: Answer, version: unknown, isDue: boolean): void {
    const { userId, limit } = this.query;
    const timeless = streamedBytes(userId, answer, limit, true);
    this.version = version;
    if (!isDue && this.sent?.equals(timeless) === true) return;
    this.sent = timeless;
    this.span?.tookIn(answer.trace);
    this.stream.send(streamedBytes(userId, answer, limit));
  }

  /** A subscriber keeps its list while it cannot be read for a moment. */
  private failed(error: unknown): void {
    if (this.sent === undefined || reactionOf(error) !== 'transient') this.stream.fail(error);
  }
}
