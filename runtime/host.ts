/** The instances that one thread owns: their stores, their supervisors, their clock. */
import { Deadline } from './deadline.js';
import { asError } from './errors.js';
import type { Topology } from './graph.js';
import type { Clock, Log, Logger, Store } from './ports.js';
import type { ActorKnobs } from './actor.js';
import type { Actor } from './actor.js';
import { type ActorStatus, newStatus } from './status.js';
import { Supervisor } from './supervisor.js';
import { Ticker } from './ticker.js';

/** What moves as one: the instances with one number of the stages that share a store. */
export interface Unit {
  /** Names the store. */
  readonly name: string;
  readonly partition: number;
  readonly stages: readonly string[];
}

export interface HostOptions {
  readonly topology: Topology;
  readonly units: readonly Unit[];
  readonly log: Log;
  readonly openStore: (name: string) => Promise<Store>;
  readonly clock: Clock;
  readonly loggerOf: (stage: string, partition: number) => Logger;
  readonly knobs: ActorKnobs;
  /** Ticks are written into the mailboxes of stages with publishers at this interval; 0 for none. */
  readonly tickEveryMs: number;
  readonly onAnswered?: (stage: string, ingestedAtMs: number) => void;
}

export class Host {
  private readonly stores = new Map<string, Store>();
  private readonly supervisors = new Map<string, Supervisor>();
  private readonly instanceRuns = new Map<string, Promise<void>>();
  private readonly tickers: Ticker[] = [];
  private readonly tickerRuns: Promise<void>[] = [];
  private readonly known: ActorStatus[] = [];

  private constructor(
    private readonly options: HostOptions,
    private readonly onFatal: (error: Error) => void,
  ) {}

  /** Starts everything; what escalates later goes to `onFatal`. */
  static async start(options: HostOptions, onFatal: (error: Error) => void): Promise<Host> {
    const host = new Host(options, onFatal);
    try {
      for (const unit of options.units) await host.startUnit(unit);
    } catch (error) {
      await host.stop();
      throw error;
    }
    return host;
  }

  /** Of all instances, as of now. */
  get statuses(): readonly ActorStatus[] {
    for (const supervisor of this.supervisors.values()) supervisor.report();
    return this.known;
  }

  /** The running actor of an instance; absent while it restarts. */
  actor(stage: string, partition: number): Actor | undefined {
    return this.supervisors.get(`${stage}.${partition}`)?.current;
  }

  /** Ticks end, actors take in no more and write a last snapshot, stores close: what the deadline allows of it. */
  async stop(deadline = new Deadline(Infinity, this.options.clock)): Promise<void> {
    for (const ticker of this.tickers) ticker.stop();
    const ends = [...this.supervisors].map(([name, supervisor]) =>
      deadline.step(`the last snapshot of ${name}`, async () => {
        await supervisor.stop();
        await this.instanceRuns.get(name);
        supervisor.mustBeWhole();
      }),
    );
    await Promise.all([...ends, deadline.step('the ticks', () => Promise.all(this.tickerRuns))]);
    const closings = [...this.stores].map(([name, store]) => deadline.step(`the store ${name}`, () => store.close()));
    await Promise.all(closings);
  }

  private async startUnit(unit: Unit): Promise<void> {
    const { topology, log, clock, knobs, loggerOf, tickEveryMs, onAnswered } = this.options;
    const { partition } = unit;
    const store = await this.options.openStore(unit.name);
    this.stores.set(unit.name, store);
    for (const id of unit.stages) {
      const stage = topology.stage(id);
      const status = newStatus(id, partition);
      const logger = loggerOf(id, partition);
      this.known.push(status);
      const supervisor = new Supervisor({
        ...{ topology, stage, partition, log, store, clock, logger, knobs, status },
        ...(onAnswered === undefined
          ? {}
          : {
              onAnswered: (ingestedAtMs: number) => {
                onAnswered(id, ingestedAtMs);
              },
            }),
      });
      this.supervisors.set(`${id}.${partition}`, supervisor);
      this.instanceRuns.set(
        `${id}.${partition}`,
        supervisor.run().catch((error: unknown) => {
          this.onFatal(asError(error));
        }),
      );
      const hasClock = topology.upstreams(id).some((upstream) => upstream.id === 'events');
      if (hasClock && tickEveryMs > 0) {
        const ticker = new Ticker({ log, clock, logger, stage: id, partition, everyMs: tickEveryMs });
        this.tickers.push(ticker);
        this.tickerRuns.push(ticker.run());
      }
    }
  }
}
