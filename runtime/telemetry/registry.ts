/** Metrics of a node as a Prometheus registry: reports of its instances and threads, latencies, calls and requests. */
import { collectDefaultMetrics, Histogram, Registry } from 'prom-client';
import { AnswerMetrics } from './answer-metrics.js';
import { CallMetrics, RequestMetrics } from './call-metrics.js';
import type { Clock } from '../contract/ports.js';
import { type CountsOf, registerStageMetrics } from './stage-metrics.js';
import type { ActorStatus } from './status.js';
import type { NamedVitals } from './thread-vitals.js';
import { registerCounter, registerGauge } from './pull-metrics.js';

/** Seconds; from a healthy live path to one that needs attention. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export class Telemetry {
  readonly registry = new Registry();
  private readonly latency: Histogram;
  readonly calls: CallMetrics;
  readonly requests: RequestMetrics;
  readonly answers: AnswerMetrics;
  /** The newest latencies, for the live view. */
  private readonly recent = new Float64Array(4096);
  private seen = 0;

  constructor(
    statuses: () => readonly ActorStatus[],
    threads: () => readonly NamedVitals[],
    clock: Pick<Clock, 'nowMs' | 'monotonicMs'>,
    countsOf: CountsOf,
  ) {
    const { registry } = this;
    registerStageMetrics(registry, statuses, () => clock.nowMs(), countsOf);
    registerThreadMetrics(registry, threads);
    this.latency = new Histogram({
      name: 'rivulet_event_to_recommendation_seconds',
      help: 'From an event stored in the log to the changed list readable',
      buckets: LATENCY_BUCKETS,
      registers: [registry],
    });
    this.calls = new CallMetrics(registry);
    this.requests = new RequestMetrics(registry);
    this.answers = new AnswerMetrics(registry, () => clock.monotonicMs());
    // Process metrics with the standard names, collected when the metrics are read.
    collectDefaultMetrics({ register: registry });
  }

  answered(latencyMs: number): void {
    this.latency.observe(latencyMs / 1000);
    this.recent[this.seen++ % this.recent.length] = latencyMs;
  }

  /** Percentiles over the newest answers. */
  latencies(): { readonly p50Ms: number; readonly p99Ms: number; readonly count: number } {
    const newest = this.recent.slice(0, Math.min(this.seen, this.recent.length)).sort();
    const at = (share: number): number => newest[Math.min(newest.length - 1, Math.floor(newest.length * share))] ?? NaN;
    return { p50Ms: at(0.5), p99Ms: at(0.99), count: this.seen };
  }
}

function registerThreadMetrics(registry: Registry, threads: () => readonly NamedVitals[]): void {
  const register = (
    as: typeof registerGauge,
    name: string,
    help: string,
    pick: (vitals: NamedVitals) => number,
  ): void => {
    as(registry, { name, help, labelNames: ['thread'] }, () =>
      threads().map((vitals) => ({ labels: { thread: vitals.thread }, value: pick(vitals) })),
    );
  };
  register(
    registerGauge,
    'rivulet_event_loop_delay_max_seconds',
    'Longest time that the event loop of a thread was held up in the last 15 to 30 s',
    ({ loopDelayPeakMs }) => loopDelayPeakMs / 1000,
  );
  register(
    registerCounter,
    'rivulet_thread_busy_seconds_total',
    'Time in which the event loop of a thread was not idle: near 1 per second, the thread has no room left',
    ({ busyMs }) => busyMs / 1000,
  );
  register(
    registerGauge,
    'rivulet_thread_heap_bytes',
    'JavaScript heap in use, by thread',
    (vitals) => vitals.heapBytes,
  );
}
