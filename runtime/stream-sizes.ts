/** How large the streams are, asked of the log when somebody wants to know: at most once in ASK_EVERY_MS, and waited for at most WAIT_MS. */
import type { Log, StreamSpec } from './contract/ports.js';

export interface StreamSize {
  readonly stream: string;
  readonly bytes: number;
  readonly bytesMax: number;
  /** Messages stored since it was made. */
  readonly stored: number;
  /** Messages that are kept; of ledgers only, where no other than the oldest go. */
  readonly kept: number | undefined;
}

const ASK_EVERY_MS = 5_000;
const WAIT_MS = 1_000;
/** What is older is not shown any more: NATS is away. */
const OLD_MS = 60_000;

export class StreamSizes {
  private latest: readonly StreamSize[] = [];
  private askedAtMs = -Infinity;
  private answeredAtMs = -Infinity;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly log: Pick<Log, 'info'>,
    private readonly specs: readonly Pick<StreamSpec, 'name' | 'bytesMax' | 'dropsOldest'>[],
  ) {}

  /** As of the last seconds; none when the log has not answered for a minute. */
  async get(): Promise<readonly StreamSize[]> {
    if (this.asking === undefined && performance.now() - this.askedAtMs >= ASK_EVERY_MS) {
      this.askedAtMs = performance.now();
      this.asking = this.ask().finally(() => (this.asking = undefined));
    }
    if (this.asking !== undefined) await atMost(WAIT_MS, this.asking);
    return performance.now() - this.answeredAtMs > OLD_MS ? [] : this.latest;
  }

  private async ask(): Promise<void> {
    const sizes = this.specs.map(async ({ name, bytesMax, dropsOldest }): Promise<StreamSize> => {
      const { bytes, firstSequence, lastSequence } = await this.log.info(name);
      // Of a new stream, both are 0.
      const kept = dropsOldest ? Math.max(0, lastSequence - Math.max(1, firstSequence) + 1) : undefined;
      return { stream: name, bytes, bytesMax, stored: lastSequence, kept };
    });
    try {
      this.latest = await Promise.all(sizes);
      this.answeredAtMs = performance.now();
    } catch {
      // `rivulet_nats_up` says why there is nothing new.
    }
  }
}

async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
