/**
 * Catching up with a copy, for who only stands by: one that cannot be used is made anew by the owner, who has the state, so it is waited for. It is
 * looked at again after an interval, not at each try: what is damaged is found by reading it.
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
      const says = `standing by for ${shard.name} must wait until its copy is made anew`;
      logger.warn({ err: asError(cause), shard: shard.name }, says);
      const error = transient('COPY_UNUSABLE', says, { cause });
      this.failure = { error, untilMs: clock.monotonicMs() + everyMs };
      throw error;
    }
  }

  /** An owner sees that a part is missing, not that it is damaged: who runs all the same, as a view does, could wait for ever. */
  private canWait(error: unknown): boolean {
    if (!(error instanceof RivuletError)) return false;
    return error.code === 'COPY_LOST' || (error.code === 'OBJECT_DAMAGED' && this.shard.everywhere !== true);
  }
}
