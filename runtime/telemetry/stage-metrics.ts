/**
 * Reports of the instances as Prometheus families by stage and partition: a bounded set of labels, without ids of users or items.
 * An instance that has moved to another node is no longer shown here.
 */
import type { Registry } from 'prom-client';
import type { Distribution } from './distribution.js';
import type { Counter } from '../contract/stage.js';
import { type ActorStatus, lagSecondsOf, perStage, SNAPSHOT_BOUNDS, STEP_BOUNDS } from './status.js';
import { type Labels, registerCounter, registerGauge, registerHistogram, type PulledValue } from './pull-metrics.js';

type Pick = (status: ActorStatus, nowMs: number) => number | undefined;
/** Which counters a stage has. */
export type CountsOf = (stage: string) => readonly Counter[];
type Family = readonly [name: string, help: string, pick: Pick];

/** Counters that only rise while the thread lives. */
const COUNTERS: readonly Family[] = [
  ['rivulet_stage_messages_in_total', 'Messages taken in; inside a chain frames', (s) => s.messagesIn],
  ['rivulet_stage_rows_in_total', 'Rows of frames taken in; a message of a publisher counts as one', (s) => s.rowsIn],
  ['rivulet_stage_rows_out_total', 'Rows sent on', (s) => s.rowsOut],
  ['rivulet_stage_restarts_total', 'Restarts after a failure', (s) => s.restarts],
];
/** What a chain has once: of its first stage. */
const MAILBOX_COUNTERS: readonly Family[] = [
  ['rivulet_stage_bytes_in_total', 'Bytes of messages taken in', (s) => s.bytesIn],
  [
    'rivulet_stage_foreign_messages_total',
    'Messages skipped since Rivulet has not written them',
    (s) => s.foreign?.messages ?? 0,
  ],
  ['rivulet_stage_messages_out_total', 'Messages handed to the log', (s) => s.messagesOut],
  ['rivulet_stage_bytes_out_total', 'Bytes of messages handed to the log', (s) => s.bytesOut],
  ['rivulet_snapshots_total', 'Snapshots written', (s) => s.snapshots],
  ['rivulet_snapshot_written_bytes_total', 'Bytes of snapshots written', (s) => s.snapshotBytesWritten],
];

/** Counted in the state: a restore may set it back to the snapshot's value, which Prometheus treats as a reset. */
const RESTORED = '; a restore sets it back to the snapshot, and the replay counts again';
/** Shown only for stages that count it: a 0 for others would mean that no events arrived there. */
const EVENT_COUNTERS: readonly (readonly [name: string, help: string, counter: Counter])[] = [
  ['rivulet_events_total', 'Events that parse has seen; of parse-items: items', 'events'],
  [
    'rivulet_events_on_time_total',
    'Events that were counted in a window, or are impressions, which have none',
    'on_time',
  ],
  ['rivulet_events_late_total', 'Events whose window was closed', 'late'],
  ['rivulet_events_dead_letter_total', 'Events that were refused; of parse-items: items', 'dead_letter'],
  ['rivulet_events_duplicate_total', 'Events whose id was seen before', 'duplicates'],
  [
    'rivulet_unknown_items_total',
    'Events whose item the catalogue does not have; none while it is empty',
    'unknown_items',
  ],
];
const STATE_COUNTERS: readonly Family[] = [
  [
    'rivulet_stage_quarantined_messages_total',
    'Messages quarantined as poison: the stage fails on them',
    (s) => s.quarantined.messages,
  ],
  ['rivulet_stage_quarantined_rows_total', 'Rows of frames quarantined as poison', (s) => s.quarantined.rows],
];

const GAUGES: readonly Family[] = [
  ['rivulet_stage_up', '1 while the instance runs, 0 while it restores, waits after a failure or is stopped', upOf],
  ['rivulet_as_of_lag_seconds', 'Wall time minus the latest event time seen', (s, now) => ageOf(s.asOfMs, now)],
  ['rivulet_stage_state_keys', 'Keys and rows of state in memory', (s) => s.stateKeys],
];
const MAILBOX_GAUGES: readonly Family[] = [
  [
    'rivulet_stage_mailbox_lag_messages',
    'Messages stored for the instance and not yet processed, as of the last second or two; absent while it restarts or NATS is unreachable',
    (s) => s.lagMessages,
  ],
  [
    'rivulet_stage_mailbox_lag_seconds',
    'Age of the oldest message pending for the instance; while the instance restarts or NATS is unreachable an upper bound, the age of the newest ' +
      'message that was processed. 0 while none is pending',
    lagSecondsOf,
  ],
  ['rivulet_watermark_timestamp_seconds', 'Watermark: event time, epoch seconds', (s) => seconds(s.watermarkMs)],
  ['rivulet_watermark_lag_seconds', 'Wall time minus the watermark', (s, now) => ageOf(s.watermarkMs, now)],
  ['rivulet_stage_buffered_messages', 'Messages in the alignment buffer', (s) => s.bufferedMessages],
  ['rivulet_stage_buffered_bytes', 'Bytes of messages in the alignment buffer', (s) => s.bufferedBytes],
  ['rivulet_stage_unacknowledged_messages', 'Messages sent and not yet acknowledged', (s) => s.unacknowledged],
  [
    'rivulet_snapshot_last_seconds',
    'Duration of the last snapshot',
    (s) => (s.snapshots > 0 ? s.snapshotMs / 1000 : undefined),
  ],
  ['rivulet_snapshot_last_bytes', 'Size of the last snapshot', (s) => (s.snapshots > 0 ? s.snapshotBytes : undefined)],
  [
    'rivulet_snapshot_age_seconds',
    'How long the oldest input that was taken in and that no snapshot includes has waited for one; 0 while there is none',
    (s, now) => ageOf(s.unsavedSinceMs ?? now, now),
  ],
];

type DistributionFamily = readonly [string, string, readonly number[], (status: ActorStatus) => Distribution];

const HISTOGRAMS: readonly DistributionFamily[] = [
  [
    'rivulet_stage_step_seconds',
    'Processing time of one input: taken in, answered, handed to the log',
    STEP_BOUNDS.seconds,
    (s) => s.steps.seconds,
  ],
  [
    'rivulet_stage_frame_rows',
    'Rows of one input: of a frame, or of the messages of publishers that were taken in as one; those without rows left out',
    STEP_BOUNDS.rows,
    (s) => s.steps.rows,
  ],
];
const MAILBOX_HISTOGRAMS: readonly DistributionFamily[] = [
  ['rivulet_stage_frame_bytes', 'Bytes of one input', STEP_BOUNDS.bytes, (s) => s.steps.bytes],
  ['rivulet_snapshot_seconds', 'Duration of snapshots', SNAPSHOT_BOUNDS, (s) => s.snapshotTimes],
];

function upOf({ state }: ActorStatus): number {
  return state === 'running' ? 1 : 0;
}

const seconds = (ms: number | null): number | undefined => (ms === null ? undefined : ms / 1000);
const ageOf = (ms: number | null, nowMs: number): number | undefined =>
  ms === null ? undefined : Math.max(0, (nowMs - ms) / 1000);

const labelsOf = ({ stage, partition }: ActorStatus): Labels => ({ stage, partition });

export function registerStageMetrics(
  registry: Registry,
  statuses: () => readonly ActorStatus[],
  nowMs: () => number,
  countsOf: CountsOf,
): void {
  const labelNames = ['stage', 'partition'];
  const ofStages = (): readonly ActorStatus[] => perStage(statuses());
  const valuesOf = (of: () => readonly ActorStatus[], pick: Pick) => (): PulledValue[] => {
    const now = nowMs();
    return of().map((status) => ({ labels: labelsOf(status), value: pick(status, now) }));
  };
  for (const [name, help, counter] of EVENT_COUNTERS) {
    const pick: Pick = ({ stage, counters }) =>
      countsOf(stage).includes(counter) ? (counters[counter] ?? 0) : undefined;
    registerCounter(registry, { name, help: help + RESTORED, labelNames }, valuesOf(ofStages, pick));
  }
  for (const [name, help, pick] of STATE_COUNTERS) {
    registerCounter(registry, { name, help: help + RESTORED, labelNames }, valuesOf(statuses, pick));
  }
  for (const [of, counters, gauges, histograms] of [
    [ofStages, COUNTERS, GAUGES, HISTOGRAMS],
    [statuses, MAILBOX_COUNTERS, MAILBOX_GAUGES, MAILBOX_HISTOGRAMS],
  ] as const) {
    for (const [name, help, pick] of counters)
      registerCounter(registry, { name, help, labelNames }, valuesOf(of, pick));
    for (const [name, help, pick] of gauges) registerGauge(registry, { name, help, labelNames }, valuesOf(of, pick));
    for (const [name, help, bounds, distributionOf] of histograms) {
      registerHistogram(registry, { name, help, labelNames }, bounds, () =>
        of().map((status) => ({ labels: labelsOf(status), distribution: distributionOf(status) })),
      );
    }
  }
}
