/**
 * Logs that events are refused: by which instance, how many, and up to which message of its mailbox. At most once per instance in REPORT_EVERY_MS, and
 * without the events' content: their ids and errors are in the dead letters.
 */
import type { Clock, Logger } from '../contract/ports.js';
import type { ActorStatus } from '../telemetry/status.js';

export type RefusalVitals = Pick<ActorStatus, 'stage' | 'partition' | 'sequence' | 'counters'>;

const REPORT_EVERY_MS = 60_000;

interface Reported {
  total: number;
  atMs: number;
}

export class RefusalLog {
  private readonly reported = new Map<string, Reported>();

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly logger: Pick<Logger, 'info'>,
  ) {}

  follow(instances: readonly RefusalVitals[]): void {
    for (const instance of instances) this.check(instance);
  }

  private check({ stage, partition, sequence, counters: { dead_letter: total } }: RefusalVitals): void {
    const name = `${stage}.${partition}`;
    const reported = this.reported.get(name);
    // Earlier incarnations reported theirs; a recovery resets the total to that of the snapshot.
    if (reported === undefined || total < reported.total) {
      this.reported.set(name, { total, atMs: reported?.atMs ?? -Infinity });
      return;
    }
    const nowMs = this.clock.monotonicMs();
    if (total === reported.total || nowMs - reported.atMs < REPORT_EVERY_MS) return;
    const fields = { stage, partition, refused: total - reported.total, total, sequence };
    this.logger.info(fields, 'events were refused: they are dead letters, see rivulet dlq ls');
    reported.total = total;
    reported.atMs = nowMs;
  }
}
