/**
 * Metrics of gRPC calls, by the names that dashboards for gRPC servers know. Labels are bounded: the services, methods and status codes that
 * there are, and nothing that a client could choose.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import { type Distribution, newDistribution, observe } from './distribution.js';
import { registerHistogram } from './told-metrics.js';

interface Method {
  /** `package.Service/Method` */
  readonly method: string;
  readonly kind: string;
}

interface Labels {
  readonly grpc_type: string;
  readonly grpc_service: string;
  readonly grpc_method: string;
}

interface Tally {
  readonly labels: Labels;
  began: number;
  ended: number;
  readonly handled: Map<string, number>;
  readonly seconds: Distribution;
}

const LABELS = ['grpc_type', 'grpc_service', 'grpc_method'] as const;
/** Seconds: answers come in a fraction of a millisecond, streams stay open. */
const BUCKETS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export class CallMetrics {
  /** Counted here, and written into the families when they are read: a call must not pay for labels. */
  private readonly tallies = new Map<string, Tally>();

  constructor(registry: Registry) {
    const registers = [registry];
    const { tallies } = this;
    new Counter({
      name: 'grpc_server_started_total',
      help: 'gRPC calls that have begun',
      labelNames: LABELS,
      registers,
      collect() {
        this.reset();
        for (const { labels, began } of tallies.values()) this.inc({ ...labels }, began);
      },
    });
    new Counter({
      name: 'grpc_server_handled_total',
      help: 'gRPC calls that have ended, by status',
      labelNames: [...LABELS, 'grpc_code'],
      registers,
      collect() {
        this.reset();
        for (const { labels, handled } of tallies.values()) {
          for (const [grpc_code, calls] of handled) this.inc({ ...labels, grpc_code }, calls);
        }
      },
    });
    new Gauge({
      name: 'grpc_server_in_flight',
      help: 'gRPC calls that have begun and not ended',
      labelNames: LABELS,
      registers,
      collect() {
        for (const { labels, began, ended } of tallies.values()) this.set({ ...labels }, began - ended);
      },
    });
    registerHistogram(
      registry,
      { name: 'grpc_server_handling_seconds', help: 'Duration of gRPC calls, from the request to the status' },
      BUCKETS,
      () => [...tallies.values()].map(({ labels, seconds }) => ({ labels: { ...labels }, distribution: seconds })),
    );
  }

  /** All that have ended since the start. */
  get total(): number {
    let total = 0;
    for (const { ended } of this.tallies.values()) total += ended;
    return total;
  }

  readonly began = (call: Method): void => {
    this.tallyOf(call).began++;
  };

  readonly ended = (call: Method & { readonly code: string; readonly ms: number }): void => {
    const tally = this.tallyOf(call);
    tally.ended++;
    tally.handled.set(call.code, (tally.handled.get(call.code) ?? 0) + 1);
    observe(tally.seconds, BUCKETS, call.ms / 1000);
  };

  private tallyOf({ method, kind }: Method): Tally {
    let tally = this.tallies.get(method);
    if (tally === undefined) {
      const [service = '', name = ''] = method.split('/');
      const labels = { grpc_type: kind, grpc_service: service, grpc_method: name };
      const seconds = newDistribution(BUCKETS);
      this.tallies.set(method, (tally = { labels, began: 0, ended: 0, handled: new Map(), seconds }));
    }
    return tally;
  }
}
