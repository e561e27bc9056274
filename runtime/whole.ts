/**
 * Has an instance read all of its mailbox? A writer's messages say which came before them (heard.ts); publishers' do not. What another owner has
 * trimmed before this one came by would be missing from its state for good, and nobody would hear of it.
 *
 * Nothing is trimmed before the manifest of the copies includes it (P3). So whoever has read up to a message, and finds afterwards that the
 * manifest includes no more than what was known to be whole before, has missed nothing.
 */
import { fatal } from './errors.js';
import type { Clock } from './ports.js';

/** Asked at least so often while messages come, and before each snapshot. */
const CHECK_EVERY_MS = 250;

export class Whole {
  private checkedAtMs = -Infinity;

  /** `upTo`: the sequence that was restored; `copied`: what the manifest includes, now. */
  constructor(
    private readonly reader: string,
    private upTo: number,
    private readonly copied: () => Promise<number>,
    private readonly clock: Clock,
  ) {}

  get isDue(): boolean {
    // A wall clock may go back.
    return Math.abs(this.clock.nowMs() - this.checkedAtMs) >= CHECK_EVERY_MS;
  }

  /** All up to this message has been read. Fatal LOG_GAP when some of it may have been trimmed before. */
  async check(sequence: number): Promise<void> {
    const nowMs = this.clock.nowMs();
    const copied = await this.copied();
    if (copied > this.upTo) {
      throw fatal(
        'LOG_GAP',
        `${this.reader} has read up to message ${this.upTo}, but another owner's copy includes ${copied}`,
        { hint: 'another node has gone on with this partition: start again, and it goes on from the copy' },
      );
    }
    this.upTo = Math.max(this.upTo, sequence);
    this.checkedAtMs = nowMs;
  }
}
