/**
 * Says in the log that events are refused: by whom, how many, and up to which message of its mailbox. At most once per instance in TELL_EVERY_MS, however
 * many there are, and nothing of what the events hold: their ids, and what is wrong with them, stand in the dead letters.
 */
import type { Clock, Logger } from '../contract/ports.js';
import type { ActorStatus } from '../telemetry/status.js';

export type RefusalVitals = Pick<ActorStatus, 'stage' | 'partition' | 'sequence' | 'counters'>;

const TELL_EVERY_MS = 60_000;

interface Told {
  total: number;
  atMs: number;
}

export class RefusalLog {
  private readonly told = new Map<string, Told>();

  constructor(
    private readonly clock: Pick<Clock, 'monotonicMs'>,
    private readonly logger: Pick<Logger, 'info'>,
  ) {}

  follow(instances: readonly RefusalVitals[]): void {
    for (const instance of instances) this.look(instance);
  }

  private look({ stage, partition, sequence, counters: { dead_letter: total } }: RefusalVitals): void {
    const name = `${stage}.${partition}`;
    const told = this.told.get(name);
    // Those of earlier lives were told then; a restore sets it back to what the snapshot says.
    if (told === undefined || total < told.total) {
      this.told.set(name, { total, atMs: told?.atMs ?? -Infinity });
      return;
    }
    const nowMs = this.clock.monotonicMs();
    if (total === told.total || nowMs - told.atMs < TELL_EVERY_MS) return;
    const fields = { stage, partition, refused: total - told.total, total, sequence };
    this.logger.info(fields, 'events were refused: they are dead letters, see rivulet dlq ls');
    told.total = total;
    told.atMs = nowMs;
  }
}
