/**
 * The hold: while a backup runs, nodes trim no mailbox and delete no old copy. It is a key next to the nodes' own (cluster/entries.ts), which the
 * backup writes and renews, so that it expires if the backup is killed; a node reports its token once it has paused.
 *
 * A node that ignores the hold does no harm: the backup detects that something was removed, and fails.
 */
import { bytesOf, HOLD_KEY, holdIn, nodesIn } from '../../cluster/entries.js';
import { asError, fatal, hasCode, RivuletError } from '../../contract/errors.js';
import { retryThroughFailover } from '../../supervision/retry.js';
import type { Clock, KeyValue } from '../../contract/ports.js';

export interface NodesTable {
  readonly nodes: KeyValue;
  /** How long an entry lives without a renewal. */
  readonly ttlMs: number;
}

/** Two renewals may be missed. */
const RENEWALS_PER_TTL = 4;
const LOOK_EVERY_MS = 200;

export class Hold {
  private readonly abort = new AbortController();
  private renewing: Promise<void> = Promise.resolve();
  private until = -Infinity;
  private failure: Error | undefined;
  private readonly withRetry: ReturnType<typeof retryThroughFailover>;

  private constructor(
    private readonly table: NodesTable,
    private readonly clock: Clock,
    private readonly token: string,
    private revision = 0,
  ) {
    // Outages are reported already: the streams are read first.
    this.withRetry = retryThroughFailover(clock, () => undefined);
  }

  /** Fatal BACKUP_RUNS when another backup has it. */
  static async take(table: NodesTable, clock: Clock, token: string): Promise<Hold> {
    const hold = new Hold(table, clock, token);
    await hold.withRetry(() => hold.put().catch((error: unknown) => hold.mustBeOurs(error)));
    hold.renewing = hold.renew();
    return hold;
  }

  /** Waits until all live nodes have acknowledged the hold; fatal BACKUP_NODE_SILENT names those that did not in time. */
  async acknowledged(waitMs: number, signal: AbortSignal): Promise<void> {
    const startedMs = this.clock.monotonicMs();
    for (;;) {
      signal.throwIfAborted();
      this.mustHold();
      const silent = nodesIn(await this.withRetry(() => this.table.nodes.entries())).filter(
        ({ hold }) => hold !== this.token,
      );
      if (silent.length === 0) return;
      if (this.clock.monotonicMs() - startedMs >= waitMs) {
        const names = silent.map(({ id, name }) => `${id} (${name})`).join(', ');
        throw fatal('BACKUP_NODE_SILENT', `no answer within ${waitMs / 1000} s from ${names}`, {
          hint: 'see whether that node runs well (rivulet doctor); --no-wait goes on without it, and fails if it trims meanwhile',
        });
      }
      await this.clock.sleep(LOOK_EVERY_MS, signal);
    }
  }

  /** Throws when the hold was lost: a node may have trimmed. */
  mustHold(): void {
    if (this.failure !== undefined) throw this.failure;
    if (this.clock.monotonicMs() >= this.until) throw lost();
  }

  async release(): Promise<void> {
    this.abort.abort();
    await this.renewing;
    // If the delete fails, the entry expires.
    await this.table.nodes.delete(HOLD_KEY, this.revision).catch(() => undefined);
  }

  private async put(): Promise<void> {
    const until = this.clock.monotonicMs() + this.table.ttlMs;
    this.revision = await this.table.nodes.put(HOLD_KEY, bytesOf({ token: this.token }), this.revision);
    this.until = until;
  }

  /** For an existing entry: this backup's own, whose acknowledgement was lost, or another backup's. */
  private async mustBeOurs(error: unknown): Promise<void> {
    if (!isFenced(error)) throw error;
    const found = await this.table.nodes.get(HOLD_KEY);
    if (found === undefined || holdIn([found]) !== this.token) {
      throw fatal('BACKUP_RUNS', 'another backup of this deployment is under way', {
        hint: `wait for it; one that was killed is forgotten after ${this.table.ttlMs / 1000} s`,
      });
    }
    this.revision = found.revision;
    await this.put();
  }

  private async renew(): Promise<void> {
    const { signal } = this.abort;
    for (;;) {
      await this.clock.sleep(this.table.ttlMs / RENEWALS_PER_TTL, signal);
      if (signal.aborted) return;
      try {
        await this.put();
      } catch (error) {
        await this.afterFailure(error);
      }
      if (this.failure !== undefined) return;
    }
  }

  /** Was the entry stored without an acknowledgement, has it expired, or does it belong to another backup? */
  private async afterFailure(error: unknown): Promise<void> {
    try {
      const found = await this.table.nodes.get(HOLD_KEY);
      if (found !== undefined && holdIn([found]) === this.token) {
        this.revision = found.revision;
      } else if (isFenced(error)) this.failure = lost();
    } catch (away) {
      // The next renewal retries, until `until`.
      if (!(away instanceof RivuletError && away.reaction === 'transient')) this.failure = asError(away);
    }
  }
}

const isFenced = (error: unknown): boolean => hasCode(error, 'FENCED');

const lost = (): Error =>
  fatal('BACKUP_HOLD_LOST', 'the nodes may trim again: the hold of this backup could not be renewed in time', {
    hint: 'see whether NATS runs well (rivulet doctor), and run the backup again',
  });
