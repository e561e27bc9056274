/**
 * A log that fails as told, around any other: acks and requests get lost, answers come late and out of step, a process
 * is cut off. It duplicates nothing by itself. What happens is decided by a script or a seed, so that a run can be repeated.
 */
import { transient } from '../../runtime/contract/errors.js';
import type { Log, LogMessage, Reader, StreamInfo, StreamSpec } from '../../runtime/contract/ports.js';

/**
 * `ack-lost`: stored, LOG_UNKNOWN. `request-lost`: not stored, LOG_UNKNOWN. `late`: LOG_UNKNOWN, and on its way: it arrives when the sender has
 * long given up. `away`: not stored, LOG_UNREACHABLE, as all operations can end. For others than publishes the first three end as LOG_UNREACHABLE.
 */
export type Fate = 'done' | 'ack-lost' | 'request-lost' | 'late' | 'away';

export interface Operation {
  readonly kind: 'publish' | 'last' | 'info' | 'read' | 'take' | 'purge';
  /** The subject, or of `info`, `read` and `take` the stream. */
  readonly on: string;
}

export interface LogFaults {
  readonly fate?: (operation: Operation) => Fate;
  /** Awaited before an operation takes effect, and again before its answer arrives: delays, and interleaves. */
  readonly turn?: (operation: Operation) => Promise<void>;
  /** How many of `max` messages a reader gives at most at a time. */
  readonly slice?: (max: number) => number;
  /** How often the server has restarted: what was under way then gets no answer, and what had not arrived never does. */
  readonly restarts?: () => number;
}

/** A late request arrives after so many turns. */
const LATE_TURNS = 8;

export class FailingLog implements Log {
  private gone = false;
  private stillArrives: () => boolean = () => false;

  constructor(
    private readonly inner: Log,
    private readonly faults: LogFaults = {},
  ) {}

  get payloadBytesMax(): number {
    return this.inner.payloadBytesMax;
  }

  /** The process has died: no answer arrives any more; of what is under way takes effect what `stillArrives`. */
  cut(stillArrives: () => boolean = () => false): void {
    this.gone = true;
    this.stillArrives = stillArrives;
  }

  ensureStream(spec: StreamSpec): Promise<void> {
    return this.inner.ensureStream(spec);
  }

  info(stream: string): Promise<StreamInfo> {
    return this.through({ kind: 'info', on: stream }, () => this.inner.info(stream));
  }

  async read(stream: string, options: { readonly filters: readonly string[]; readonly from: number }): Promise<Reader> {
    const reader = await this.through({ kind: 'read', on: stream }, () => this.inner.read(stream, options));
    const { slice = (max: number) => max } = this.faults;
    return {
      // The messages come first and the delay after: an idle reader keeps nobody waiting.
      take: async (max) => {
        const messages = await reader.take(Math.max(1, slice(max)));
        return this.through({ kind: 'take', on: stream }, () => Promise.resolve(messages));
      },
      close: () => reader.close(),
    };
  }

  publish(
    subject: string,
    data: Uint8Array,
    options?: { readonly expected?: number; readonly headers?: Readonly<Record<string, string>> },
  ): Promise<number> {
    return this.through({ kind: 'publish', on: subject }, () => this.inner.publish(subject, data, options));
  }

  last(stream: string, subject: string): Promise<LogMessage | undefined> {
    return this.through({ kind: 'last', on: subject }, () => this.inner.last(stream, subject));
  }

  purge(stream: string, subject: string, below: number): Promise<void> {
    return this.through({ kind: 'purge', on: subject }, () => this.inner.purge(stream, subject, below));
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  private async through<T>(operation: Operation, effect: () => Promise<T>): Promise<T> {
    const { fate, turn, restarts = () => 0 } = this.faults;
    if (this.gone) return never();
    const end = fate?.(operation) ?? 'done';
    const before = restarts();
    await turn?.(operation);
    if (this.gone && !this.stillArrives()) return never();
    const arrives = (end === 'done' || end === 'ack-lost') && restarts() === before;
    if (end === 'late' && operation.kind === 'publish') void this.arriveLate(operation, effect, before);
    const answer = arrives ? await effect() : undefined;
    await turn?.(operation);
    if (this.gone) return never();
    if (end === 'done' && restarts() === before) return answer as T;
    const unknown = operation.kind === 'publish' && end !== 'away';
    throw transient(
      unknown ? 'LOG_UNKNOWN' : 'LOG_UNREACHABLE',
      `no answer for ${operation.kind} on ${operation.on} (as told)`,
    );
  }

  private async arriveLate(operation: Operation, effect: () => Promise<unknown>, before: number): Promise<void> {
    const { turn, restarts = () => 0 } = this.faults;
    for (let turns = 0; turns < LATE_TURNS; turns++) await turn?.(operation);
    if (restarts() === before) await effect().catch(() => undefined);
  }
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);

/** Fates by a script: the n-th operation of a kind on a subject, from 1, ends so. */
export function scripted(script: readonly (readonly [Operation['kind'], on: string, n: number, Fate])[]) {
  const counts = new Map<string, number>();
  return ({ kind, on }: Operation): Fate => {
    const n = (counts.get(`${kind} ${on}`) ?? 0) + 1;
    counts.set(`${kind} ${on}`, n);
    return script.find((line) => line[0] === kind && line[1] === on && line[2] === n)?.[3] ?? 'done';
  };
}

/** How often, of all operations that can end so. */
export type FateRates = Readonly<Partial<Record<Exclude<Fate, 'done'>, number>>>;

/** Fates by chance. */
export function drawn(random: () => number, rates: FateRates) {
  return ({ kind }: Operation): Fate => {
    if (kind === 'take') return 'done';
    let left = random();
    for (const [fate, rate] of Object.entries(rates) as [Fate, number][]) {
      if (kind !== 'publish' && fate !== 'away') continue;
      left -= rate;
      if (left < 0) return fate;
    }
    return 'done';
  };
}

/** Somebody else who believes to own a subject. */
export class SecondWriter {
  private constructor(
    private readonly log: Log,
    private readonly subject: string,
    private sequence: number,
  ) {}

  /** Knows the subject as it is now. */
  static async open(log: Log, stream: string, subject: string): Promise<SecondWriter> {
    return new SecondWriter(log, subject, (await log.last(stream, subject))?.sequence ?? 0);
  }

  /** Publishes behind what it knows; Transient FENCED when somebody else has spoken since. */
  async say(data: Uint8Array): Promise<number> {
    this.sequence = await this.log.publish(this.subject, data, { expected: this.sequence });
    return this.sequence;
  }
}
