/** What the HTTP façade needs beside what it shares with gRPC, and what it tells about itself. */

/** A request that was answered, by the pattern of its route: never what a client could choose. */
export interface RequestObserver {
  began(): void;
  ended(method: string, route: string, status: number, ms: number): void;
}

/** Whom GET /reco/random answers for. */
export interface RandomUsers {
  /** A user of whom something is known; `undefined` when nobody is. */
  next(): string | undefined | Promise<string | undefined>;
}

/** JSON of GET /health: 200 while it serves, also where it takes no events (`degraded`), else 503. */
export interface HealthReport {
  readonly status: 'serving' | 'degraded' | 'starting' | 'unavailable' | 'stopping';
  readonly node: string;
  readonly uptime_seconds: number;
  /** In words: why it is not serving, or takes no events. */
  readonly reasons: readonly string[];
  readonly dependencies: {
    readonly nats: {
      readonly status: 'up' | 'down';
      readonly url: string;
      readonly version: string;
      readonly away_seconds?: number;
    };
  };
  readonly stages: readonly {
    readonly stage: string;
    readonly running: number;
    readonly partitions: number;
    readonly failed: number;
  }[];
}

export interface NodeReports {
  readonly version: string;
  health(): HealthReport;
  /** Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
