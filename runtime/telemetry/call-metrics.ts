/**
 * Metrics of gRPC calls, with the names that dashboards for gRPC servers use, and of HTTP requests. Counted in plain numbers and collected when the
 * metrics are read: a call must not pay for labels. Labels are bounded to existing services, methods, routes and status codes; a client cannot
 * choose them.
 */
import type { Registry } from 'prom-client';
import { type Distribution, newDistribution, observe } from './distribution.js';
import { type Description, type Labels, registerCounter, registerGauge, registerHistogram } from './pull-metrics.js';

interface CallCounts {
  readonly labels: Labels;
  began: number;
  ended: number;
  /** By status. */
  readonly outcomes: Map<string | number, number>;
  readonly seconds: Distribution;
}

interface CallFamilies {
  readonly labelNames: readonly string[];
  readonly began?: Description;
  readonly inFlight: Description;
  readonly ended: Description;
  /** The label of `ended` that names the status. */
  readonly outcome: string;
  readonly seconds: Description;
  /** Upper bounds of the histogram's buckets, seconds. */
  readonly bounds: readonly number[];
}

/** How many calls or requests of each kind have begun and ended, with which status and duration. */
class Calls {
  protected readonly byKind = new Map<string, CallCounts>();

  constructor(
    registry: Registry,
    private readonly families: CallFamilies,
  ) {
    const { labelNames, began, inFlight, ended, outcome, seconds, bounds } = families;
    const all = (): CallCounts[] => [...this.byKind.values()];
    registerCounter(registry, { ...ended, labelNames: [...labelNames, outcome] }, () =>
      all().flatMap(({ labels, outcomes }) =>
        [...outcomes].map(([status, value]) => ({ labels: { ...labels, [outcome]: status }, value })),
      ),
    );
    registerGauge(registry, { ...inFlight, labelNames }, () =>
      all().map((counts) => ({ labels: counts.labels, value: counts.began - counts.ended })),
    );
    registerHistogram(registry, { ...seconds, labelNames }, bounds, () =>
      all().map((counts) => ({ labels: counts.labels, distribution: counts.seconds })),
    );
    if (began === undefined) return;
    registerCounter(registry, { ...began, labelNames }, () =>
      all().map((counts) => ({ labels: counts.labels, value: counts.began })),
    );
  }

  /** Number of calls ended since the start. */
  get total(): number {
    let total = 0;
    for (const { ended } of this.byKind.values()) total += ended;
    return total;
  }

  protected add(kind: string, labels: Labels): CallCounts {
    const seconds = newDistribution(this.families.bounds);
    const counts: CallCounts = { labels, began: 0, ended: 0, outcomes: new Map(), seconds };
    this.byKind.set(kind, counts);
    return counts;
  }

  protected end(counts: CallCounts, outcome: string | number, ms: number): void {
    counts.ended++;
    counts.outcomes.set(outcome, (counts.outcomes.get(outcome) ?? 0) + 1);
    observe(counts.seconds, this.families.bounds, ms / 1000);
  }
}

interface Method {
  /** `package.Service/Method` */
  readonly method: string;
  readonly kind: string;
}

export class CallMetrics extends Calls {
  constructor(registry: Registry) {
    super(registry, {
      labelNames: ['grpc_type', 'grpc_service', 'grpc_method'],
      began: { name: 'grpc_server_started_total', help: 'gRPC calls that have begun' },
      ended: { name: 'grpc_server_handled_total', help: 'gRPC calls that have ended, by status' },
      outcome: 'grpc_code',
      inFlight: { name: 'grpc_server_in_flight', help: 'gRPC calls that have begun and not ended' },
      seconds: { name: 'grpc_server_handling_seconds', help: 'Duration of gRPC calls, from the request to the status' },
      // Most answers take a fraction of a millisecond; streams stay open.
      bounds: [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    });
  }

  readonly began = (call: Method): void => {
    this.countsOf(call).began++;
  };

  readonly ended = (call: Method & { readonly code: string; readonly ms: number }): void => {
    this.end(this.countsOf(call), call.code, call.ms);
  };

  private countsOf({ method, kind }: Method): CallCounts {
    const known = this.byKind.get(method);
    if (known !== undefined) return known;
    const [service = '', name = ''] = method.split('/');
    return this.add(method, { grpc_type: kind, grpc_service: service, grpc_method: name });
  }
}

/** At most this many routes have labels of their own; further routes are counted together. */
const ROUTES_MAX = 100;
const OTHER = '* *';

/** `route`: method and pattern, `GET /reco/{user_id}`; `GET *` for unknown routes. A stream ends when its client disconnects. */
export class RequestMetrics extends Calls {
  constructor(registry: Registry) {
    super(registry, {
      labelNames: ['method', 'route'],
      ended: { name: 'http_server_requests_total', help: 'HTTP requests that were answered, by route and status' },
      outcome: 'status',
      inFlight: {
        name: 'http_server_in_flight',
        help: 'HTTP requests that have begun and are not answered in full, streams among them',
      },
      seconds: {
        name: 'http_server_request_seconds',
        help: 'Duration of HTTP requests, from the request line to the last byte of the answer',
      },
      // Most answers are read from memory; streams stay open.
      bounds: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30],
    });
  }

  readonly began = (route: string): void => {
    this.countsOf(route).began++;
  };

  readonly ended = (route: string, status: number, ms: number): void => {
    this.end(this.countsOf(route), status, ms);
  };

  private countsOf(route: string): CallCounts {
    const known = this.byKind.get(route);
    if (known !== undefined) return known;
    if (this.byKind.size >= ROUTES_MAX && route !== OTHER) return this.countsOf(OTHER);
    const [method = '*', pattern = '*'] = route.split(' ', 2);
    return this.add(route, { method, route: pattern });
  }
}
