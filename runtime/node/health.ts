/** Watches the health of a node (composition) and reports it to the façade, the log and, in a file, to `rivulet doctor`. */
import { readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Health, healthOf, type InstanceVitals, type Vitals } from '../supervision/health.js';
import { asError } from '../contract/errors.js';
import type { Clock, Logger } from '../contract/ports.js';
import { RefusalLog, type RefusalVitals } from '../dead-letters/refusal-log.js';
import { hasFields, isCount, isListOf, isText, optional, storedJson } from '../contract/stored-json.js';

export interface WatchedVitals extends Vitals {
  readonly instances: readonly (InstanceVitals & RefusalVitals)[];
}

export interface HealthWatchOptions {
  readonly vitals: () => WatchedVitals;
  /** Requests a new status of all threads; they report soon. */
  readonly ask: () => void;
  readonly apply: (health: Health) => void;
  readonly dataDir: string;
  /** The addresses of the façades, by protocol. */
  readonly listens: HealthNote['listens'];
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_EVERY_MS = 250;
/** Until it first serves: readiness is detected quickly. */
const LOOK_AT_START_MS = 20;
const FILE = 'health.json';

/** The last health note of the node on a data directory. */
export interface HealthNote extends Health {
  readonly process: number;
  /** Absent: written by an earlier version. */
  readonly listens?: Readonly<Record<'grpc' | 'http', { readonly host: string; readonly port: number }>> | undefined;
}

export class HealthWatch {
  private readonly abort = new AbortController();
  private served = false;
  private told: string | undefined;
  private noted: string | undefined;
  /** The newest note, until its write begins. */
  private unwritten: HealthNote | undefined;
  private writing: Promise<void> | undefined;
  private isWritable = true;
  private latest: Health | undefined;
  private readonly refusals: RefusalLog;

  private constructor(private readonly options: HealthWatchOptions) {
    this.refusals = new RefusalLog(options.clock, options.logger);
  }

  static start(options: HealthWatchOptions): HealthWatch {
    const watch = new HealthWatch(options);
    watch.look();
    void watch.lookAgain();
    return watch;
  }

  get health(): Health | undefined {
    return this.latest;
  }

  /** Resolves when the note is deleted. */
  async stop(): Promise<void> {
    this.abort.abort();
    this.unwritten = undefined;
    await this.writing;
    await rm(join(this.options.dataDir, FILE), { force: true }).catch((error: unknown) => {
      this.options.logger.warn({ err: asError(error) }, `cannot remove ${FILE}`);
    });
  }

  private async lookAgain(): Promise<void> {
    const { signal } = this.abort;
    while (!signal.aborted) {
      if (!this.served) this.options.ask();
      await this.options.clock.sleep(this.served ? LOOK_EVERY_MS : LOOK_AT_START_MS, signal);
      if (!signal.aborted) this.look();
    }
  }

  private look(): void {
    const vitals = this.options.vitals();
    this.refusals.follow(vitals.instances);
    const health = healthOf(vitals, this.served);
    this.latest = health;
    this.note(health);
    this.options.apply(health);
    const started = this.served || health.serving;
    // During the start it is logged once; a change within the grace time is not logged.
    const wording = JSON.stringify([
      health.serving,
      health.takesEvents,
      started && health.reasons.map(withoutNumbers),
      health.warnings.map(withoutNumbers),
    ]);
    this.served = started;
    if (wording === this.told) return;
    this.told = wording;
    this.tell(health);
  }

  private tell(health: Health): void {
    const { logger } = this.options;
    const { serving, takesEvents, reasons, warnings } = health;
    for (const warning of warnings) logger.warn({}, warning);
    if (serving && takesEvents) logger.info({}, 'serving');
    else if (serving) logger.error({ reasons }, 'serving, and taking no events');
    else if (this.served) logger.error({ reasons, takesEvents }, 'not serving');
    else logger.info({ reasons }, 'not serving yet');
  }

  /** Durations count as changes too, so a problem rewrites the note each second. */
  private note(health: Health): void {
    const text = JSON.stringify(health);
    if (text === this.noted) return;
    this.noted = text;
    this.unwritten = { ...health, process: process.pid, listens: this.options.listens };
    this.writing ??= this.write();
  }

  /** One write at a time, asynchronously; of several pending notes only the newest is written. */
  private async write(): Promise<void> {
    const { dataDir, logger } = this.options;
    const file = join(dataDir, FILE);
    for (let note = this.unwritten; note !== undefined; note = this.unwritten) {
      this.unwritten = undefined;
      try {
        await mkdir(dataDir, { recursive: true });
        await writeFile(`${file}.new`, `${JSON.stringify(note)}\n`);
        await rename(`${file}.new`, file);
        this.isWritable = true;
      } catch (error) {
        // The note is informational: a full disk must not end the node here; it is logged once.
        if (this.isWritable) logger.warn({ err: asError(error) }, `cannot write ${FILE}: rivulet doctor knows less`);
        this.isWritable = false;
      }
    }
    this.writing = undefined;
  }
}

const isPlace = hasFields({ host: isText, port: isCount });
const isNote = hasFields({
  ...{ process: isCount, reasons: isListOf(isText) },
  listens: optional(hasFields({ grpc: isPlace, http: isPlace })),
});

/** `undefined`: no node runs, or it could not write a note. */
export function readHealthNote(dataDir: string): HealthNote | undefined {
  try {
    return storedJson<HealthNote>(readFileSync(join(dataDir, FILE), 'utf8'), isNote);
  } catch {
    return undefined;
  }
}

/** Removes durations and amounts, to compare the rest. */
const withoutNumbers = (text: string): string =>
  text.replace(/ (for \d+ s( \(\d+ restarts\))?|buffers [\d.]+ GiB)|^\d+ % of the \d+ /, '');
