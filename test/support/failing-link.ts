/** Shared tables and objects that fail as told, as failing-log.ts does for the log: requests and acks get lost, come late, or nobody is there. */
import { transient } from '../../runtime/contract/errors.js';
import type { KeyValue, KeyValueEntry, KeyValueView, Objects } from '../../runtime/contract/ports.js';
import type { Fate } from './failing-log.js';

export interface LinkFaults {
  readonly fate?: (isWrite: boolean) => Fate;
  /** Awaited before an operation takes effect, and again before its answer arrives. */
  readonly turn?: (what: string) => Promise<void>;
  /** How often the server has restarted: what was under way then gets no answer, and what had not arrived never does. */
  readonly restarts?: () => number;
}

/** A late request arrives after so many turns. */
const LATE_TURNS = 8;

/** What a process has to all tables and objects; cut when it dies. */
export class FailingLink {
  private gone = false;
  private stillArrives: () => boolean = () => false;

  constructor(readonly faults: LinkFaults) {}

  cut(stillArrives: () => boolean = () => false): void {
    this.gone = true;
    this.stillArrives = stillArrives;
  }

  async through<T>(what: string, isWrite: boolean, effect: () => Promise<T>): Promise<T> {
    const { fate, restarts = () => 0 } = this.faults;
    if (this.gone) return never();
    const end = fate?.(isWrite) ?? 'done';
    const before = restarts();
    await this.turn(what);
    if (this.gone && !this.stillArrives()) return never();
    const arrives = (end === 'done' || end === 'ack-lost') && restarts() === before;
    if (end === 'late') void this.arriveLate(what, effect, before);
    const answer = arrives ? await effect() : undefined;
    await this.turn(what);
    if (this.gone) return never();
    if (end === 'done' && restarts() === before) return answer as T;
    throw transient(isWrite && end !== 'away' ? 'LOG_UNKNOWN' : 'LOG_UNREACHABLE', `no answer for ${what} (as told)`);
  }

  /** For what is no operation of its own: the next piece, a change that is told. */
  async step(what: string): Promise<void> {
    if (this.gone) await never();
    await this.turn(what);
    if (this.gone) await never();
  }

  private async turn(what: string): Promise<void> {
    await this.faults.turn?.(what);
  }

  private async arriveLate(what: string, effect: () => Promise<unknown>, before: number): Promise<void> {
    const { restarts = () => 0 } = this.faults;
    for (let turns = 0; turns < LATE_TURNS; turns++) await this.turn(what);
    if (restarts() === before) await effect().catch(() => undefined);
  }
}

export class FailingKeyValue implements KeyValue {
  constructor(
    private readonly inner: KeyValue,
    private readonly name: string,
    private readonly link: FailingLink,
  ) {}

  get(key: string): Promise<KeyValueEntry | undefined> {
    return this.link.through(`${this.name} get ${key}`, false, () => this.inner.get(key));
  }

  entries(): Promise<KeyValueEntry[]> {
    return this.link.through(`${this.name} entries`, false, () => this.inner.entries());
  }

  put(key: string, value: Uint8Array, revision?: number): Promise<number> {
    return this.link.through(`${this.name} put ${key}`, true, () => this.inner.put(key, value, revision));
  }

  delete(key: string, revision?: number): Promise<void> {
    return this.link.through(`${this.name} delete ${key}`, true, () => this.inner.delete(key, revision));
  }

  async watch(onChange: (key: string) => void): Promise<KeyValueView> {
    const view = await this.link.through(`${this.name} watch`, false, () =>
      this.inner.watch((key) => void this.link.step(`${this.name} tells`).then(() => onChange(key))),
    );
    return {
      entries: () => this.link.through(`${this.name} entries`, false, () => view.entries()),
      stop: () => view.stop(),
    };
  }
}

export class FailingObjects implements Objects {
  constructor(
    private readonly inner: Objects,
    private readonly link: FailingLink,
  ) {}

  /** Piece by piece; stored with the last, as the real ones are. */
  async put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<{ bytes: number; digest: string }> {
    const taken: Uint8Array[] = [];
    for await (const piece of pieces) {
      taken.push(piece.slice());
      await this.link.through('objects piece', false, () => Promise.resolve());
    }
    return this.link.through('objects put', true, () => this.inner.put(name, inPieces(taken)));
  }

  async *get(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const piece of this.inner.get(name)) {
      yield await this.link.through('objects get', false, () => Promise.resolve(piece));
    }
  }

  delete(name: string): Promise<void> {
    return this.link.through('objects delete', true, () => this.inner.delete(name));
  }

  names(prefix: string): Promise<string[]> {
    return this.link.through('objects names', false, () => this.inner.names(prefix));
  }
}

async function* inPieces(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

const never = <T>(): Promise<T> => new Promise<T>(() => undefined);
