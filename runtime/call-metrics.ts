/**
 * Metrics of gRPC calls, by the names that dashboards for gRPC servers know. Labels are bounded: the services, methods and status codes that
 * there are, and nothing that a client could choose.
 */
import { Counter, Gauge, type Histogram, type Registry } from 'prom-client';

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
  seconds: number;
  /** Calls that took no longer than a bucket's bound, and longer than the one before; the last for those above all bounds. */
  readonly buckets: number[];
}

const LABELS = ['grpc_type', 'grpc_service', 'grpc_method'] as const;
/** Seconds: answers come in a fraction of a millisecond, streams stay open. */
const BUCKETS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

/**
 * A histogram that is told from what was tallied: to observe each call by its labels would cost as much as to answer it. What a registry asks of a
 * metric, and no more.
 */
class TalliedSeconds {
  readonly name = 'grpc_server_handling_seconds';
  readonly help = 'Duration of gRPC calls, from the request to the status';
  readonly type = 'histogram';
  readonly aggregator = 'sum';

  constructor(private readonly tallies: ReadonlyMap<string, Tally>) {}

  get() {
    const { name, help, type, aggregator } = this;
    const values = [...this.tallies.values()].flatMap(({ labels, ended, seconds, buckets }) => {
      let calls = 0;
      return [
        ...[...BUCKETS, '+Inf'].map((le, i) => ({
          metricName: `${name}_bucket`,
          labels: { le, ...labels },
          value: (calls += buckets[i]!),
        })),
        { metricName: `${name}_sum`, labels, value: seconds },
        { metricName: `${name}_count`, labels, value: ended },
      ];
    });
    return Promise.resolve({ name, help, type, aggregator, values });
  }
}

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
    registry.registerMetric(new TalliedSeconds(tallies) as unknown as Histogram);
  }

  /** How many have begun. */
  get total(): number {
    let sum = 0;
    for (const { began } of this.tallies.values()) sum += began;
    return sum;
  }

  readonly began = (call: Method): void => {
    this.tallyOf(call).began++;
  };

  readonly ended = (call: Method & { readonly code: string; readonly ms: number }): void => {
    const tally = this.tallyOf(call);
    tally.ended++;
    tally.handled.set(call.code, (tally.handled.get(call.code) ?? 0) + 1);
    const seconds = call.ms / 1000;
    tally.seconds += seconds;
    let bucket = 0;
    while (seconds > BUCKETS[bucket]!) bucket++;
    tally.buckets[bucket]!++;
  };

  private tallyOf({ method, kind }: Method): Tally {
    let tally = this.tallies.get(method);
    if (tally === undefined) {
      const [service = '', name = ''] = method.split('/');
      const labels = { grpc_type: kind, grpc_service: service, grpc_method: name };
      const buckets = new Array<number>(BUCKETS.length + 1).fill(0);
      this.tallies.set(method, (tally = { labels, began: 0, ended: 0, handled: new Map(), seconds: 0, buckets }));
    }
    return tally;
  }
}
