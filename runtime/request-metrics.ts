/**
 * Metrics of HTTP requests. Labels are bounded: the routes that there are, by their patterns, and the status codes that are given. At most ROUTES_MAX
 * are told apart, whatever is passed in: what comes on top is counted as one.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { type Distribution, newDistribution, observe } from './distribution.js';
import { registerHistogram } from './told-metrics.js';

/** `route`: method and pattern, `GET /reco/{user_id}`; `GET *` for what has none. A stream ends when nobody listens any more. */
export interface RequestObserver {
  began(route: string): void;
  ended(route: string, status: number, ms: number): void;
}

interface RouteTally {
  readonly labels: { readonly method: string; readonly route: string };
  began: number;
  ended: number;
  readonly statuses: Map<number, number>;
  readonly seconds: Distribution;
}

const LABELS = ['method', 'route'] as const;
const ROUTES_MAX = 100;
const OTHER = '* *';
/** Seconds: most answers are read from memory; streams stay open. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export class RequestMetrics implements RequestObserver {
  private readonly tallies = new Map<string, RouteTally>();

  constructor(registry: Registry) {
    const registers = [registry];
    const { tallies } = this;
    new Counter({
      name: 'http_server_requests_total',
      help: 'HTTP requests that were answered, by route and status',
      labelNames: [...LABELS, 'status'],
      registers,
      collect() {
        this.reset();
        for (const { labels, statuses } of tallies.values()) {
          for (const [status, requests] of statuses) this.inc({ ...labels, status }, requests);
        }
      },
    });
    new Gauge({
      name: 'http_server_in_flight',
      help: 'HTTP requests that have begun and are not answered in full, streams among them',
      labelNames: LABELS,
      registers,
      collect() {
        for (const { labels, began, ended } of tallies.values()) this.set({ ...labels }, began - ended);
      },
    });
    registerHistogram(
      registry,
      {
        name: 'http_server_request_seconds',
        help: 'Duration of HTTP requests, from the request line to the last byte of the answer',
      },
      BOUNDS,
      () => [...tallies.values()].map(({ labels, seconds }) => ({ labels, distribution: seconds })),
    );
  }

  /** All that were answered since the start. */
  get total(): number {
    let total = 0;
    for (const { ended } of this.tallies.values()) total += ended;
    return total;
  }

  readonly began = (route: string): void => {
    this.tallyOf(route).began++;
  };

  readonly ended = (route: string, status: number, ms: number): void => {
    const tally = this.tallyOf(route);
    tally.ended++;
    tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1);
    observe(tally.seconds, BOUNDS, ms / 1000);
  };

  private tallyOf(route: string): RouteTally {
    const known = this.tallies.get(route);
    if (known !== undefined) return known;
    if (this.tallies.size >= ROUTES_MAX && route !== OTHER) return this.tallyOf(OTHER);
    const [method = '*', pattern = '*'] = route.split(' ', 2);
    const labels = { method, route: pattern };
    const tally = { labels, began: 0, ended: 0, statuses: new Map(), seconds: newDistribution(BOUNDS) };
    this.tallies.set(route, tally);
    return tally;
  }
}
