/** The instances that one thread owns: their stores, their supervisors, their clock. */
import { asError } from './errors.js';
import type { Topology } from './graph.js';
import type { Clock, Log, Logger, Store } from './ports.js';
import type { ActorKnobs } from './actor.js';
import type { Actor } from './actor.js';
import { type ActorStatus, newStatus } from './status.js';
import { Supervisor } from './supervisor.js';
import { Ticker } from './ticker.js';
import type { Turn } from './turns.js';

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
  readonly turn?: Turn;
  readonly onAnswered?: (stage: string, ingestedAtMs: number) => void;
}

export class Host {
  private readonly stores: Store[] = [];
  private readonly supervisors = new Map<string, Supervisor>();
  private readonly tickers: Ticker[] = [];
  private readonly runs: Promise<void>[] = [];
  readonly statuses: ActorStatus[] = [];

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

  /** The running actor of an instance; absent while it restarts. */
  actor(stage: string, partition: number): Actor | undefined {
    return this.supervisors.get(`${stage}/${partition}`)?.current;
  }

  /** Ticks end, actors take in no more and write a last snapshot, stores close. */
  async stop(): Promise<void> {
    for (const ticker of this.tickers) ticker.stop();
    await Promise.all([...this.supervisors.values()].map((supervisor) => supervisor.stop()));
    await Promise.allSettled(this.runs);
    await Promise.all(this.stores.map((store) => store.close()));
  }

  private async startUnit(unit: Unit): Promise<void> {
    const { topology, log, clock, knobs, loggerOf, tickEveryMs, turn, onAnswered } = this.options;
    const { partition } = unit;
    const store = await this.options.openStore(unit.name);
    this.stores.push(store);
    for (const id of unit.stages) {
      const stage = topology.stage(id);
      const status = newStatus(id, partition);
      const logger = loggerOf(id, partition);
      this.statuses.push(status);
      const supervisor = new Supervisor({
        ...{ topology, stage, partition, log, store, clock, logger, knobs, status },
        ...(turn === undefined ? {} : { turn }),
        ...(onAnswered === undefined
          ? {}
          : {
              onAnswered: (ingestedAtMs: number) => {
                onAnswered(id, ingestedAtMs);
              },
            }),
      });
      this.supervisors.set(`${id}/${partition}`, supervisor);
      this.runs.push(
        supervisor.run().catch((error: unknown) => {
          this.onFatal(asError(error));
        }),
      );
      const hasClock = topology.upstreams(id).some((upstream) => upstream.id === 'events');
      if (hasClock && tickEveryMs > 0) {
        const ticker = new Ticker({ log, clock, logger, stage: id, partition, everyMs: tickEveryMs });
        this.tickers.push(ticker);
        this.runs.push(ticker.run());
      }
    }
  }
}
