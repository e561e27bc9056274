/**
 * Metrics of gRPC calls, by the names that dashboards for gRPC servers know. Labels are bounded: the services, methods and status codes that
 * there are, and nothing that a client could choose.
 */
import type { Registry } from 'prom-client';
import { Tallies, type Tally } from '../tallies.js';

interface Method {
  /** `package.Service/Method` */
  readonly method: string;
  readonly kind: string;
}

/** Seconds: answers come in a fraction of a millisecond, streams stay open. */
const BUCKETS = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export class CallMetrics {
  private readonly tallies: Tallies;

  constructor(registry: Registry) {
    this.tallies = new Tallies(registry, {
      ended: { name: 'grpc_server_handled_total', help: 'gRPC calls that have ended, by status', label: 'grpc_code' },
      inFlight: { name: 'grpc_server_in_flight', help: 'gRPC calls that have begun and not ended' },
      seconds: { name: 'grpc_server_handling_seconds', help: 'Duration of gRPC calls, from the request to the status' },
      bounds: BUCKETS,
    });
    this.tallies.countBegun({ name: 'grpc_server_started_total', help: 'gRPC calls that have begun' });
  }

  /** All that have ended since the start. */
  get total(): number {
    return this.tallies.total;
  }

  readonly began = (call: Method): void => {
    this.tallyOf(call).began++;
  };

  readonly ended = (call: Method & { readonly code: string; readonly ms: number }): void => {
    this.tallies.end(this.tallyOf(call), call.code, call.ms);
  };

  private tallyOf({ method, kind }: Method): Tally {
    const known = this.tallies.known(method);
    if (known !== undefined) return known;
    const [service = '', name = ''] = method.split('/');
    return this.tallies.add(method, { grpc_type: kind, grpc_service: service, grpc_method: name });
  }
}
