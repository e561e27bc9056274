/**
 * The clock as a writer: ticks bring time into a mailbox, each with the time at which the log has stored it, so that time is replayed with the other
 * input. A ticker also detects whether publishers' events can be stored: they go into the same stream.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { explain, hasCode } from '../contract/errors.js';
import { CLOCK, streamOf, subjectOf } from '../contract/graph.js';
import type { Clock, Log, Logger } from '../contract/ports.js';
import type { ActorStatus } from '../telemetry/status.js';

export interface TickerOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stage: string;
  readonly partition: number;
  readonly everyMs: number;
  readonly status: Pick<ActorStatus, 'refusal'>;
  /** Rows that the stage has emitted. */
  readonly emitted: () => number;
}

/** When its stage has emitted nothing for this long, ticks are QUIET_EVERY_MS apart until it does: what waits for time, such as users of an import, has had it by then. */
const QUIET_AFTER_MS = 120_000;
export const QUIET_EVERY_MS = 5_000;

export class Ticker {
  private readonly abort = new AbortController();

  constructor(private readonly options: TickerOptions) {}

  stop(): void {
    this.abort.abort();
  }

  /** Ticks until stopped. A tick that cannot be written is skipped: the next one carries the time. */
  async run(): Promise<void> {
    const { log, clock, logger, stage, partition, everyMs, status, emitted } = this.options;
    const subject = subjectOf(stage, partition, CLOCK, partition);
    let expected: number | undefined;
    let [rows, activeAtMs] = [emitted(), clock.monotonicMs()];
    while (!this.abort.signal.aborted) {
      try {
        expected ??= (await log.last(streamOf(stage), subject))?.sequence ?? 0;
        const envelope = create(EnvelopeSchema, { tickMs: clock.nowMs(), lastPart: true });
        expected = await log.publish(subject, toBinary(EnvelopeSchema, envelope), { expected });
        status.refusal = undefined;
      } catch (error) {
        expected = undefined;
        // If another writer has just stored a tick, events can be stored.
        const isStored = hasCode(error, 'FENCED');
        const sinceMs = status.refusal?.sinceMs ?? clock.nowMs();
        status.refusal = isStored ? undefined : { sinceMs, reason: explain(error) };
        logger.debug({ err: error }, 'a tick was left out');
      }
      const tickedAtMs = clock.monotonicMs();
      do {
        await clock.sleep(everyMs, this.abort.signal);
        if (emitted() !== rows) [rows, activeAtMs] = [emitted(), clock.monotonicMs()];
      } while (
        !this.abort.signal.aborted &&
        clock.monotonicMs() - activeAtMs >= QUIET_AFTER_MS &&
        clock.monotonicMs() - tickedAtMs < QUIET_EVERY_MS
      );
    }
    status.refusal = undefined;
  }
}
