/**
 * The outbox of an instance: one ordered line per destination subject.
 *
 * Invariants
 *   O1  A line says each answer once, in input order: what its subject's last message covers already is dropped (rule 5).
 *   O2  One publish per subject is in flight, each fenced by the sequence of the one before (rule 6).
 *   O3  An unknown outcome is resolved by reading the subject's last message from the leader, never by guessing.
 *   O4  `settled()` resolves when all that was handed over before it is acknowledged: a snapshot waits for it (rule 7).
 *   O5  A letter is ours only when it bears our mark: one of another owner with the same tag may stand on other state. Whoever is refused by
 *       one opens anew. `claim()` says something on lines, so that everybody who opened them before is refused from then on.
 */
import { randomUUID } from 'node:crypto';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { EnvelopeSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { asError, explain, fatal, RivuletError, transient } from '../contract/errors.js';
import { streamOf, type Topology } from '../contract/graph.js';
import type { Clock, Log, Logger, LogMessage } from '../contract/ports.js';
import { destinationsOf } from './router.js';
import type { ActorStatus } from '../telemetry/status.js';
import { NOTHING_SAID, sameTag, type Tag, tagOf } from '../tag.js';

interface Letter {
  readonly tag: Tag;
  readonly data: Uint8Array;
}

/** Header that tells which incarnation of an owner has written a message. */
const OWNER = 'Rivulet-Owner';
const ownerOf = ({ headers }: LogMessage): string | undefined => headers[OWNER.toLowerCase()];

const RETRY_FIRST_MS = 10;
const RETRY_MAX_MS = 1_000;

export interface LineOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stream: string;
  readonly subject: string;
  readonly signal: AbortSignal;
  readonly onHanded?: (bytes: number) => void;
  readonly onAcked: () => void;
  readonly onFailed: (error: Error) => void;
}

/** Nobody but an instance writes to its subjects, and each time it says what came before. */
export function isForeign({ data, expected }: LogMessage): boolean {
  if (expected === undefined) return true;
  try {
    fromBinary(EnvelopeSchema, data);
    return false;
  } catch {
    return true;
  }
}

/** What the last message on a subject covers, and its stream sequence; 0 for none. Fatal LOG_FOREIGN when it is not one of ours. */
export async function readSaid(
  log: Log,
  stream: string,
  subject: string,
): Promise<{ readonly said: Tag; readonly lastSequence: number }> {
  const last = await log.last(stream, subject);
  if (last === undefined) return { said: NOTHING_SAID, lastSequence: 0 };
  if (isForeign(last)) {
    throw fatal('LOG_FOREIGN', `message ${last.sequence} of ${stream}, on ${subject}, was not written by rivulet`, {
      hint: '`rivulet repair --yes` removes it; let nobody else publish below rivulet., but for rivulet.events.> and rivulet.items.>',
    });
  }
  return { said: tagOf(fromBinary(EnvelopeSchema, last.data)), lastSequence: last.sequence };
}

/** The line to one subject. */
export class Line {
  private queue: Letter[] = [];
  /** After a failure it stays silent: what comes behind a letter that was not said would leave a hole. */
  private failed = false;
  private sending = false;
  private readonly headers = { [OWNER]: randomUUID() };
  /** What the last letter covers. */
  private latest: Tag;
  handed = 0;
  acked = 0;
  bytes = 0;

  private constructor(
    private readonly options: LineOptions,
    /** What the subject's last message covers. */
    readonly said: Tag,
    private sequence: number,
  ) {
    this.latest = said;
  }

  static async open(options: LineOptions): Promise<Line> {
    const { said, lastSequence } = await readSaid(options.log, options.stream, options.subject);
    return new Line(options, said, lastSequence);
  }

  get waiting(): number {
    return this.handed - this.acked;
  }

  /** Stream sequence of the subject's last message, as far as this line knows; 0 for none. */
  get lastSequence(): number {
    return this.sequence;
  }

  /** Says that we are here, and nothing else (O5). */
  claim(): void {
    const tag = this.latest;
    this.hand(tag, toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...tag, claim: true })));
  }

  hand(tag: Tag, data: Uint8Array): void {
    this.latest = tag;
    this.handed++;
    this.bytes += data.length;
    this.options.onHanded?.(data.length);
    this.queue.push({ tag, data });
    if (!this.sending && !this.failed) void this.send();
  }

  private async send(): Promise<void> {
    this.sending = true;
    try {
      for (let letter = this.queue.shift(); letter !== undefined; letter = this.queue.shift()) {
        await this.say(letter);
        this.acked++;
        this.bytes -= letter.data.length;
        this.options.onAcked();
      }
    } catch (error) {
      this.failed = true;
      this.options.onFailed(asError(error));
    } finally {
      this.sending = false;
    }
  }

  private async say(letter: Letter): Promise<void> {
    const { log, subject, clock, logger, signal } = this.options;
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      try {
        this.sequence = await log.publish(subject, letter.data, { expected: this.sequence, headers: this.headers });
        return;
      } catch (error) {
        const code = error instanceof RivuletError && error.reaction === 'transient' ? error.code : undefined;
        if (code === undefined) throw error;
        if ((code === 'FENCED' || code === 'LOG_UNKNOWN') && (await this.wasSaid(letter, code))) return;
        const delayMs = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(attempt, 10));
        // Loud at each doubling: a log that is away for an hour, or full, is not worth a line per second and subject.
        if (attempt > 2 && Number.isInteger(Math.log2(attempt + 1)))
          logger.warn({ subject, attempt, delayMs, reason: explain(error) }, 'publish waits for the log');
        await clock.sleep(delayMs, signal);
      }
    }
  }

  /** After a refusal or silence: is the letter there? Throws FENCED when somebody else has said something else. */
  private async wasSaid(letter: Letter, code: string): Promise<boolean> {
    const { log, stream, subject } = this.options;
    const last = await log.last(stream, subject).catch((error: unknown) => {
      if (error instanceof RivuletError && error.reaction === 'transient' && code === 'LOG_UNKNOWN') return null;
      throw error;
    });
    if (last === null) return false;
    if ((last?.sequence ?? 0) === this.sequence) return false;
    const isOurs = last !== undefined && ownerOf(last) === this.headers[OWNER];
    if (isOurs && sameTag(tagOf(fromBinary(EnvelopeSchema, last.data)), letter.tag)) {
      this.sequence = last.sequence;
      return true;
    }
    throw transient('FENCED', `${subject} was written by another owner of this partition`);
  }
}

/** All lines of an instance. */
export class Outbox {
  private waiters: (() => void)[] = [];
  private failure: Error | undefined;
  /** Told once, when the first line fails. */
  onFailed: (error: Error) => void = () => undefined;

  constructor(readonly lines: ReadonlyMap<string, Line>) {}

  /** Called by the lines. */
  wake(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  fail(error: Error): void {
    if (this.failure !== undefined) return;
    this.failure = error;
    this.wake();
    this.onFailed(error);
  }

  get waiting(): number {
    let waiting = 0;
    for (const line of this.lines.values()) waiting += line.waiting;
    return waiting;
  }

  /** Resolves when no line has more than `letters` unacknowledged and all together hold at most `bytes`. */
  async room(letters: number, bytes: number): Promise<void> {
    await this.until(() => {
      let total = 0;
      for (const line of this.lines.values()) {
        if (line.waiting > letters) return false;
        total += line.bytes;
      }
      return total <= bytes;
    });
  }

  /** Resolves when something was said on these lines after this call: who opened them before is refused from now on. */
  async claim(isWanted: (subject: string) => boolean): Promise<void> {
    for (const [subject, line] of this.lines) if (isWanted(subject)) line.claim();
    await this.settled();
  }

  /** Resolves when all that was handed over up to now is acknowledged. */
  async settled(): Promise<void> {
    const goals = [...this.lines.values()].map((line) => [line, line.handed] as const);
    await this.until(() => goals.every(([line, handed]) => line.acked >= handed));
  }

  private async until(reached: () => boolean): Promise<void> {
    for (;;) {
      if (this.failure !== undefined) throw this.failure;
      if (reached()) return;
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
  }
}

export interface OutboxOptions extends Pick<LineOptions, 'log' | 'clock' | 'logger'> {
  readonly topology: Topology;
  readonly stage: { readonly id: string };
  readonly partition: number;
  readonly status: Pick<ActorStatus, 'unacknowledged' | 'messagesOut' | 'bytesOut'>;
}

/** With a line to each destination of an instance, opened side by side. */
export async function openOutbox(options: OutboxOptions, signal: AbortSignal): Promise<Outbox> {
  const { topology, stage, partition, log, clock, logger, status } = options;
  const lines = new Map<string, Line>();
  const outbox = new Outbox(lines);
  const open = destinationsOf(topology, stage.id, partition).map(async ({ to, subject }) => {
    const line = await Line.open({
      ...{ log, clock, logger, stream: streamOf(to), subject, signal },
      onHanded: (bytes) => {
        status.messagesOut++;
        status.bytesOut += bytes;
      },
      onAcked: () => {
        status.unacknowledged = outbox.waiting;
        outbox.wake();
      },
      onFailed: (error) => {
        outbox.fail(error);
      },
    });
    lines.set(subject, line);
  });
  await Promise.all(open);
  return outbox;
}
