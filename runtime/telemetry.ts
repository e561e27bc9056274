/** Metrics: what the instances say of themselves, as Prometheus families. Labels are bounded: stage, partition, and nothing from users. */
import { Gauge, Histogram, Registry } from 'prom-client';
import { CallMetrics } from './call-metrics.js';
import type { ActorStatus } from './status.js';

type Pick = (status: ActorStatus, nowMs: number) => number | undefined;

/** Name, help, value. Counters of the state are gauges here: a restore may set them back. */
const FAMILIES: readonly (readonly [name: string, help: string, pick: Pick])[] = [
  ['rivulet_stage_messages_in', 'Messages taken in since the thread started', (s) => s.messagesIn],
  ['rivulet_stage_bytes_in', 'Bytes of messages taken in since the thread started', (s) => s.bytesIn],
  ['rivulet_stage_rows_out', 'Rows sent on since the thread started', (s) => s.rowsOut],
  ['rivulet_stage_busy_seconds', 'Time spent in the stage since the thread started', (s) => s.busyMs / 1000],
  ['rivulet_events', 'Events that parse has seen', (s) => s.counters.events],
  ['rivulet_events_on_time', 'Events that were counted in a window', (s) => s.counters.on_time],
  ['rivulet_events_late', 'Events whose window was closed', (s) => s.counters.late],
  ['rivulet_events_dead_letter', 'Events that were refused', (s) => s.counters.dead_letter],
  ['rivulet_events_duplicate', 'Events whose id was seen before', (s) => s.counters.duplicates],
  ['rivulet_watermark_seconds', 'Watermark, epoch seconds', (s) => seconds(s.watermarkMs)],
  ['rivulet_watermark_lag_seconds', 'Wall time minus the watermark', (s, now) => lag(s.watermarkMs, now)],
  ['rivulet_as_of_lag_seconds', 'Wall time minus the latest event time seen', (s, now) => lag(s.asOfMs, now)],
  ['rivulet_stage_held_messages', 'Messages that wait for their epoch', (s) => s.heldMessages],
  ['rivulet_stage_held_bytes', 'Bytes of messages that wait for their epoch', (s) => s.heldBytes],
  ['rivulet_stage_buried_messages', 'Messages that the stage could not digest', (s) => s.burials.messages],
  ['rivulet_stage_buried_rows', 'Rows of frames that the stage could not digest', (s) => s.burials.rows],
  ['rivulet_stage_unacknowledged', 'Messages sent and not yet acknowledged', (s) => s.unacknowledged],
  ['rivulet_stage_state_keys', 'Keys and rows of state in memory', (s) => s.stateKeys],
  ['rivulet_stage_restarts', 'Restarts since the thread started', (s) => s.restarts],
  ['rivulet_stage_up', '1 while the instance runs', (s) => (s.state === 'running' ? 1 : 0)],
  ['rivulet_snapshots', 'Snapshots written since the thread started', (s) => s.snapshots],
  ['rivulet_snapshot_seconds', 'Duration of the last snapshot', (s) => s.snapshotMs / 1000],
  ['rivulet_snapshot_bytes', 'Size of the last snapshot', (s) => s.snapshotBytes],
];

const seconds = (ms: number | null): number | undefined => (ms === null ? undefined : ms / 1000);
const lag = (ms: number | null, nowMs: number): number | undefined => (ms === null ? undefined : (nowMs - ms) / 1000);

/** Seconds; from a healthy live path to one that needs attention. */
const LATENCY_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30];

export class Telemetry {
  readonly registry = new Registry();
  private readonly latency: Histogram;
  readonly calls: CallMetrics;
  /** The newest latencies, for the live view. */
  private readonly recent = new Float64Array(4096);
  private seen = 0;

  /** `takeLoopDelays`: per thread the longest since the last call, ms. */
  constructor(
    statuses: () => readonly ActorStatus[],
    takeLoopDelays: () => readonly (readonly [thread: string, ms: number])[],
    nowMs: () => number,
  ) {
    for (const [name, help, pick] of FAMILIES) {
      const gauge: Gauge<'stage' | 'partition'> = new Gauge({
        name,
        help,
        labelNames: ['stage', 'partition'],
        registers: [this.registry],
        collect: () => {
          const now = nowMs();
          for (const status of statuses()) {
            const value = pick(status, now);
            if (value !== undefined) gauge.set({ stage: status.stage, partition: status.partition }, value);
          }
        },
      });
    }
    const loopDelay: Gauge<'thread'> = new Gauge({
      name: 'rivulet_event_loop_delay_max_seconds',
      help: 'Longest time that the event loop of a thread was held up since the last scrape',
      labelNames: ['thread'],
      registers: [this.registry],
      collect: () => {
        for (const [thread, ms] of takeLoopDelays()) loopDelay.set({ thread }, ms / 1000);
      },
    });
    this.latency = new Histogram({
      name: 'rivulet_event_to_recommendation_seconds',
      help: 'From an event stored in the log to the changed list readable',
      buckets: LATENCY_BUCKETS,
      registers: [this.registry],
    });
    this.calls = new CallMetrics(this.registry);
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
