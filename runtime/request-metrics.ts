/**
 * Metrics of HTTP requests. Labels are bounded: the routes that there are, by their patterns, and the status codes that are given. At most ROUTES_MAX
 * are told apart, whatever is passed in: what comes on top is counted as one.
 */
import type { Registry } from 'prom-client';
import { Tallies, type Tally } from './tallies.js';

const ROUTES_MAX = 100;
const OTHER = '* *';
/** Seconds: most answers are read from memory; streams stay open. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

/** `route`: method and pattern, `GET /reco/{user_id}`; `GET *` for what has none. A stream ends when nobody listens any more. */
export class RequestMetrics {
  private readonly tallies: Tallies;

  constructor(registry: Registry) {
    this.tallies = new Tallies(registry, {
      ended: {
        name: 'http_server_requests_total',
        help: 'HTTP requests that were answered, by route and status',
        label: 'status',
      },
      inFlight: {
        name: 'http_server_in_flight',
        help: 'HTTP requests that have begun and are not answered in full, streams among them',
      },
      seconds: {
        name: 'http_server_request_seconds',
        help: 'Duration of HTTP requests, from the request line to the last byte of the answer',
      },
      bounds: BOUNDS,
    });
  }

  /** All that were answered since the start. */
  get total(): number {
    return this.tallies.total;
  }

  readonly began = (route: string): void => {
    this.tallyOf(route).began++;
  };

  readonly ended = (route: string, status: number, ms: number): void => {
    this.tallies.end(this.tallyOf(route), status, ms);
  };

  private tallyOf(route: string): Tally {
    const known = this.tallies.known(route);
    if (known !== undefined) return known;
    if (this.tallies.size >= ROUTES_MAX && route !== OTHER) return this.tallyOf(OTHER);
    const [method = '*', pattern = '*'] = route.split(' ', 2);
    return this.tallies.add(route, { method, route: pattern });
  }
}
