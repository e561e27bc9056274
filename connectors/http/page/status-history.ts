/**
 * The last ten minutes of /status: rates are differences of counts between two responses, by the server's clock.
 *
 *   rate = (count now − count before) / (now − before)      absent when a count decreased: the node has restarted
 */
import type { PartitionState, StagePartition, Status } from './answers.js';

export const HISTORY_MS = 600_000;
/** A latency without new samples for this long is no longer shown as current. */
const LATENCY_FRESH_MS = 60_000;
/** One every two seconds for ten minutes; more only after manual refreshes. */
const SAMPLES_MAX = 400;

export type Sample = {
  readonly atMs: number;
  readonly eventsPerSecond?: number;
  readonly requestsPerSecond?: number;
  readonly p50Seconds?: number;
  readonly p99Seconds?: number;
  /** The number of events in the latency, since the node started. */
  readonly answered: number;
};

export type StageState = PartitionState | 'elsewhere';

/** A stage, or the end of an edge that is not a stage (where events come from, side outputs) and has no state. */
export type StageFigures = {
  readonly stage: string;
  readonly state: StageState;
  readonly running: number;
  readonly partitions: readonly (StagePartition & { readonly messagesPerSecond?: number })[];
  readonly messagesPerSecond?: number;
  readonly lagMessages?: number;
  readonly lagSeconds?: number;
  readonly watermark?: string;
  readonly restarts: number;
};

export type History = {
  readonly status: Status;
  readonly samples: readonly Sample[];
  readonly stages: ReadonlyMap<string, StageFigures>;
};

/** The worst partition determines the state of the stage. */
const WORST_FIRST: readonly PartitionState[] = ['failed', 'backoff', 'restoring', 'stopped', 'running'];

export function nextHistory(before: History | undefined, status: Status): History {
  const atMs = Date.parse(status.now);
  const last = before?.status;
  const seconds = last === undefined ? 0 : (atMs - Date.parse(last.now)) / 1000;
  const kept = (before?.samples ?? []).filter((one) => one.atMs > atMs - HISTORY_MS && one.atMs < atMs);
  const unchanged = kept.slice(kept.findLastIndex(({ answered }) => answered !== status.latency.count) + 1);
  const isFresh = atMs - (unchanged[0]?.atMs ?? atMs) < LATENCY_FRESH_MS;
  const sample = defined<Sample>({
    atMs,
    eventsPerSecond: rate(status.counters.events, last?.counters.events, seconds),
    requestsPerSecond: rate(requestsOf(status), last === undefined ? undefined : requestsOf(last), seconds),
    p50Seconds: isFresh ? status.latency.p50_seconds : undefined,
    p99Seconds: isFresh ? status.latency.p99_seconds : undefined,
    answered: status.latency.count,
  });
  const stages = status.stages.map((stage): [string, StageFigures] => {
    const old = last?.stages.find((one) => one.stage === stage.stage)?.partitions ?? [];
    return [stage.stage, figuresOf(stage.stage, stage.partitions, old, seconds)];
  });
  return { status, samples: [...kept, sample].slice(-SAMPLES_MAX), stages: new Map(stages) };
}

function figuresOf(
  stage: string,
  partitions: readonly StagePartition[],
  old: readonly StagePartition[],
  seconds: number,
): StageFigures {
  const rated = partitions.map((one) => {
    const before = old.find(({ partition }) => partition === one.partition)?.messages_in;
    return defined<StageFigures['partitions'][number]>({
      ...one,
      messagesPerSecond: rate(one.messages_in, before, seconds),
    });
  });
  return defined<StageFigures>({
    stage,
    state: WORST_FIRST.find((state) => partitions.some((one) => one.state === state)) ?? 'elsewhere',
    running: partitions.filter(({ state }) => state === 'running').length,
    partitions: rated,
    messagesPerSecond: sum(rated.map((one) => one.messagesPerSecond)),
    lagMessages: sum(partitions.map((one) => one.lag_messages)),
    lagSeconds: greatest(partitions.map((one) => one.lag_seconds)),
    watermark: partitions
      .flatMap((one) => one.watermark ?? [])
      .sort()
      .at(0),
    restarts: sum(partitions.map((one) => one.restarts)) ?? 0,
  });
}

const requestsOf = ({ requests }: Status): number => requests.http_total + requests.grpc_total;

function rate(now: number, before: number | undefined, seconds: number): number | undefined {
  return before === undefined || seconds <= 0 || now < before ? undefined : (now - before) / seconds;
}

/** Of the known values. */
function sum(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : known.reduce((total, one) => total + one, 0);
}

function greatest(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((one) => one !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** Without the unknown fields. */
function defined<T>(fields: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as T;
}
