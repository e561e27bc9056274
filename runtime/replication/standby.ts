/**
 * Catching up with a copy on a standby. It waits while the copy cannot be used: the owner has the state and writes a new one. It reads the copy again
 * after an interval, not at each try, since damage shows only by reading.
 */
import { asError, RivuletError, transient } from '../contract/errors.js';
import type { ShardSpec } from '../shards/shard-spec.js';
import type { Clock, Logger } from '../contract/ports.js';

export class Standby {
  private failure: { readonly error: Error; readonly untilMs: number } | undefined;

  constructor(
    private readonly shard: ShardSpec,
    private readonly clock: Clock,
    private readonly everyMs: number,
  ) {}

  /** Transient COPY_UNUSABLE. */
  async tried(catchUp: () => Promise<unknown>, logger: Logger): Promise<void> {
    const { shard, clock, everyMs, failure } = this;
    if (failure !== undefined && clock.monotonicMs() < failure.untilMs) throw failure.error;
    try {
      await catchUp();
    } catch (cause) {
      if (!this.canWait(cause)) throw cause;
      const message = `standing by for ${shard.name} must wait until its copy is rewritten`;
      logger.warn({ err: asError(cause), shard: shard.name }, message);
      const error = transient('COPY_UNUSABLE', message, { cause });
      this.failure = { error, untilMs: clock.monotonicMs() + everyMs };
      throw error;
    }
  }

  /** The owner detects that a part is missing, not that it is damaged: a view, which runs without being owner, could wait for ever. */
  private canWait(error: unknown): boolean {
    if (!(error instanceof RivuletError)) return false;
    return error.code === 'COPY_LOST' || (error.code === 'OBJECT_DAMAGED' && this.shard.everywhere !== true);
  }
}
