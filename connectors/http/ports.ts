/** What the HTTP façade needs beside what it shares with gRPC, and what it tells about itself. */
import type { HealthReport } from './routes/health-report.js';

/**
 * Each request begins once and ends once. `route`: method and pattern, `GET /reco/{user_id}`, never what a client could choose; `GET *` for what
 * has none. A stream ends when nobody listens any more.
 */
export interface RequestObserver {
  began(route: string): void;
  ended(route: string, status: number, ms: number): void;
}

/** Whom GET /reco/random answers for. */
export interface RandomUsers {
  /** A user of whom something is known; `undefined` when nobody is. */
  next(): string | undefined | Promise<string | undefined>;
}

export interface NodeReports {
  readonly version: string;
  health(): HealthReport;
  /** Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
