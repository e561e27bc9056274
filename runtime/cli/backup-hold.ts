/**
 * The hold: while a backup runs, nodes trim no mailbox and collect no old copy.
 *
 *   key `hold`     {token, until}      put by the backup, renewed until it ends; it ends by itself when the backup is killed
 *   key `node.<id>` {…, hold: token}   a live node; it names the token once it has stopped trimming
 *
 * Nothing wrong comes of a hold that is not heeded: the backup sees that something was removed, and fails.
 */
import { textOf, utf8 } from '../bytes.js';
import { asError, fatal, RivuletError } from '../errors.js';
import type { Clock, KeyValue } from '../ports.js';

export const HOLD_KEY = 'hold';
export const NODE_PREFIX = 'node.';

/** The entries of a bucket whose entries end by themselves must be renewed well before that. */
const RENEW_EVERY_MS = 1_000;
const HELD_FOR_MS = 15_000;
const LOOK_EVERY_MS = 200;

interface HoldEntry {
  readonly token: string;
  /** Epoch ms. */
  readonly until: number;
}

export interface LiveNode {
  readonly name: string;
  readonly hold: string | undefined;
}

/** Nodes with an entry that has not ended. */
export async function liveNodes(nodes: KeyValue): Promise<LiveNode[]> {
  const entries = (await nodes.entries()).filter(({ key }) => key.startsWith(NODE_PREFIX));
  return entries.map(({ key, value }) => ({ name: key.slice(NODE_PREFIX.length), hold: holdIn(value) }));
}

function holdIn(value: Uint8Array): string | undefined {
  try {
    return (JSON.parse(textOf(value)) as { readonly hold?: string }).hold;
  } catch {
    return undefined;
  }
}

export class Hold {
  private readonly abort = new AbortController();
  private renewing: Promise<void> = Promise.resolve();
  private until = 0;
  private failure: Error | undefined;

  private constructor(
    private readonly nodes: KeyValue,
    private readonly clock: Clock,
    private readonly token: string,
    private revision: number,
  ) {}

  /** Fatal BACKUP_RUNS when another backup has it. */
  static async take(nodes: KeyValue, clock: Clock, token: string): Promise<Hold> {
    const found = await nodes.get(HOLD_KEY);
    const other = found === undefined ? undefined : (JSON.parse(textOf(found.value)) as HoldEntry);
    const hold = new Hold(nodes, clock, token, found?.revision ?? 0);
    if (other !== undefined && other.until > clock.nowMs()) throw running();
    try {
      await hold.put();
    } catch (error) {
      throw isFenced(error) ? running() : error;
    }
    hold.renewing = hold.renew();
    return hold;
  }

  /** Waits until all live nodes have said that they hold; fatal BACKUP_NODE_SILENT names those that did not in time. */
  async acknowledged(waitMs: number, signal: AbortSignal): Promise<void> {
    const startedMs = this.clock.nowMs();
    for (;;) {
      signal.throwIfAborted();
      this.mustHold();
      const silent = (await liveNodes(this.nodes)).filter(({ hold }) => hold !== this.token);
      if (silent.length === 0) return;
      if (this.clock.nowMs() - startedMs >= waitMs) {
        const names = silent.map(({ name }) => name).join(', ');
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
    if (this.clock.nowMs() >= this.until) throw lost();
  }

  async release(): Promise<void> {
    this.abort.abort();
    await this.renewing;
    // One that cannot be taken back ends by itself.
    await this.nodes.delete(HOLD_KEY, this.revision).catch(() => undefined);
  }

  private async put(): Promise<void> {
    const until = this.clock.nowMs() + HELD_FOR_MS;
    const value = utf8(JSON.stringify({ token: this.token, until } satisfies HoldEntry));
    this.revision = await this.nodes.put(HOLD_KEY, value, this.revision);
    this.until = until;
  }

  private async renew(): Promise<void> {
    const { signal } = this.abort;
    for (;;) {
      await this.clock.sleep(RENEW_EVERY_MS, signal);
      if (signal.aborted) return;
      try {
        await this.put();
      } catch (error) {
        await this.afterFailure(error);
      }
      if (this.failure !== undefined) return;
    }
  }

  /** Was it stored though nobody said so, or has it ended, or does another backup have it? */
  private async afterFailure(error: unknown): Promise<void> {
    try {
      const found = await this.nodes.get(HOLD_KEY);
      if (found !== undefined && (JSON.parse(textOf(found.value)) as HoldEntry).token === this.token) {
        this.revision = found.revision;
      } else if (isFenced(error)) this.failure = lost();
    } catch (away) {
      // The next renewal is the next try, until `until`.
      if (!(away instanceof RivuletError && away.reaction === 'transient')) this.failure = asError(away);
    }
  }
}

const isFenced = (error: unknown): boolean => error instanceof RivuletError && error.code === 'FENCED';

const running = (): Error =>
  fatal('BACKUP_RUNS', 'another backup of this deployment is under way', {
    hint: `wait for it; one that was killed is forgotten after ${HELD_FOR_MS / 1000} s`,
  });

const lost = (): Error =>
  fatal('BACKUP_HOLD_LOST', 'the nodes may trim again: the hold of this backup could not be renewed in time', {
    hint: 'see whether NATS runs well (rivulet doctor), and run the backup again',
  });
