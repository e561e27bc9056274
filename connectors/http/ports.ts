/** Ports of the HTTP façade that it does not share with gRPC. */
import type { HealthReport } from './routes/health-report.js';

/**
 * Each request has one begin and one end. `route`: method and pattern, `GET /reco/{user_id}`, never a text that a client can choose; `GET *` for
 * a request without a route. A stream ends when its client leaves.
 */
export interface RequestObserver {
  began(route: string): void;
  ended(route: string, status: number, ms: number): void;
}

/** Chooses the user for GET /reco/random. */
export interface RandomUsers {
  /** A user with a list; `undefined` when there is none. */
  next(): string | undefined | Promise<string | undefined>;
}

export interface NodeReports {
  readonly version: string;
  health(): HealthReport;
  /** Prometheus text. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
}
