/** Metrics of a node as a whole: its identity, whether it serves, NATS, the other nodes, the streams, the subscribers. */
import type { Registry } from 'prom-client';
import type { Health } from '../supervision/health.js';
import type { Clock, Log, StreamSpec } from '../contract/ports.js';
import type { SupervisedStatus } from '../supervision/supervisor.js';
import { type PulledValue, registerCounter, registerGauge } from './pull-metrics.js';

export interface TrendingTotals {
  readonly subscribers: number;
  readonly lists: number;
  readonly messagesEncoded: number;
  readonly messagesSent: number;
}

/** Read when the metrics are read. Each is cheap except the log, which is read rarely. */
export interface NodeSources {
  readonly version: string;
  readonly node: string;
  readonly health: () => Pick<Health, 'serving' | 'takesEvents'> | undefined;
  /** Since when NATS has not responded, epoch ms. */
  readonly natsUnreachableSinceMs: () => number | undefined;
  readonly cluster: {
    readonly members: readonly unknown[];
    readonly shards: readonly unknown[];
    readonly unreachableSinceMs: number | undefined;
  };
  /** All shards, whoever owns them. */
  readonly shards: number;
  /** What the node supervises, with the shards on each thread. */
  readonly children: () => readonly (SupervisedStatus & { readonly shards: readonly SupervisedStatus[] })[];
  readonly log: Pick<Log, 'info'>;
  readonly streams: readonly Pick<StreamSpec, 'name' | 'bytesMax' | 'dropsOldest'>[];
  /** One for each façade that streams lists. */
  readonly trending: () => readonly TrendingTotals[];
  /** Of the watched folder; absent: none is watched. */
  readonly folder?: (() => FolderFigures) | undefined;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
}

export interface FolderFigures {
  /** Files taken in since the start. */
  readonly done: number;
  /** Files that are not taken in, and those of them that cannot be. */
  readonly waiting: number;
  readonly unreadable: number;
}

type Value = () => number;

export function registerNodeMetrics(registry: Registry, sources: NodeSources): void {
  const { version, node, health, natsUnreachableSinceMs, cluster, shards, trending, clock } = sources;
  const totalOf = (name: keyof TrendingTotals): number => trending().reduce((sum, totals) => sum + totals[name], 0);
  const gauge = (name: string, help: string, value: Value): void => {
    registerGauge(registry, { name, help }, () => [{ labels: {}, value: value() }]);
  };
  const counter = (name: string, help: string, value: Value): void => {
    registerCounter(registry, { name, help }, () => [{ labels: {}, value: value() }]);
  };
  const secondsSince = (sinceMs: number | undefined): number =>
    sinceMs === undefined ? 0 : Math.max(0, (clock.nowMs() - sinceMs) / 1000);

  registerGauge(
    registry,
    {
      name: 'rivulet_build_info',
      help: 'Always 1: which version runs, as which node',
      labelNames: ['version', 'node'],
    },
    () => [{ labels: { version, node }, value: 1 }],
  );
  gauge('rivulet_node_serving', '1 while every part of the node works, 0 while it should not be sent calls', () =>
    Number(health()?.serving === true),
  );
  gauge('rivulet_node_takes_events', '1 while events can be stored', () => Number(health()?.takesEvents === true));
  gauge('rivulet_nats_up', '1 while NATS answers', () => Number(natsUnreachableSinceMs() === undefined));
  gauge('rivulet_nats_unreachable_seconds', 'For how long NATS has not answered; 0 while it does', () =>
    secondsSince(natsUnreachableSinceMs()),
  );
  gauge('rivulet_cluster_nodes', 'Nodes that this one sees, itself among them', () => cluster.members.length);
  gauge('rivulet_cluster_shards', 'Shards that the nodes share', () => shards);
  gauge('rivulet_cluster_shards_owned', 'Shards that this node owns and has opened', () => cluster.shards.length);
  gauge(
    'rivulet_cluster_unreachable_seconds',
    'For how long this node has been out of touch with the others; 0 while it is not',
    () => secondsSince(cluster.unreachableSinceMs),
  );
  gauge('rivulet_trending_subscribers', 'Subscribers of trending lists', () => totalOf('subscribers'));
  gauge('rivulet_trending_lists', 'Trending lists that somebody subscribes to', () => totalOf('lists'));
  counter(
    'rivulet_trending_messages_encoded_total',
    'Messages of trending lists that were made, each once for all that get it',
    () => totalOf('messagesEncoded'),
  );
  counter('rivulet_trending_messages_sent_total', 'Messages of trending lists that were sent to subscribers', () =>
    totalOf('messagesSent'),
  );
  registerCounter(
    registry,
    {
      name: 'rivulet_supervisor_restarts_total',
      help: 'Restarts of the nats-server, threads and shards after a failure; those of instances: rivulet_stage_restarts_total',
      labelNames: ['level', 'child'],
    },
    () =>
      sources
        .children()
        .flatMap(({ shards, ...child }) => [child, ...shards])
        .map(({ level, name, restarts }) => ({ labels: { level, child: name }, value: restarts })),
  );
  if (sources.folder !== undefined) registerFolderMetrics(sources.folder, counter, gauge);
  registerStreamMetrics(registry, new StreamSizes(sources.log, sources.streams, clock));
}

type Register = (name: string, help: string, value: Value) => void;

function registerFolderMetrics(folder: () => FolderFigures, counter: Register, gauge: Register): void {
  counter('rivulet_folder_files_total', 'Files of the watched folder that this node has taken in', () => folder().done);
  gauge('rivulet_folder_files_waiting', 'Files in the watched folder that are not taken in', () => folder().waiting);
  gauge(
    'rivulet_folder_files_unreadable',
    'Those of them that cannot be: unreadable, without needed columns, or changed after they were taken in',
    () => folder().unreadable,
  );
}

function registerStreamMetrics(registry: Registry, sizes: StreamSizes): void {
  const labelNames = ['stream'];
  const valuesOf = (pick: (size: StreamSize) => number | undefined) => async (): Promise<PulledValue[]> =>
    (await sizes.get()).map((size) => ({ labels: { stream: size.stream }, value: pick(size) }));
  registerGauge(
    registry,
    { name: 'rivulet_stream_bytes', help: 'Bytes that a stream holds; absent while NATS is unreachable', labelNames },
    valuesOf(({ bytes }) => bytes),
  );
  registerGauge(
    registry,
    {
      name: 'rivulet_stream_bytes_max',
      help: 'Bytes that a stream may hold: past that, a browsable log drops its oldest, and all others refuse what comes',
      labelNames,
    },
    valuesOf(({ bytesMax }) => bytesMax),
  );
  registerGauge(
    registry,
    {
      name: 'rivulet_stream_messages',
      help: 'Messages that a browsable log (dead letters, late rows) keeps; one holds many rows',
      labelNames,
    },
    valuesOf(({ kept }) => kept),
  );
  registerCounter(
    registry,
    {
      name: 'rivulet_stream_messages_stored_total',
      help: 'Messages that a stream has stored since it was made',
      labelNames,
    },
    valuesOf(({ stored }) => stored),
  );
}

interface StreamSize {
  readonly stream: string;
  readonly bytes: number;
  readonly bytesMax: number;
  /** Messages stored since the stream was created. */
  readonly stored: number;
  /** Messages retained; only for browsable logs, which drop the oldest messages alone. */
  readonly kept: number | undefined;
}

const ASK_EVERY_MS = 5_000;
const WAIT_MS = 1_000;
/** Older sizes are not shown: NATS is not reachable. */
const OLD_MS = 60_000;

/** Read from the log on demand: at most once in ASK_EVERY_MS, waiting at most WAIT_MS. */
class StreamSizes {
  private latest: readonly StreamSize[] = [];
  private askedAtMs = -Infinity;
  private answeredAtMs = -Infinity;
  private asking: Promise<void> | undefined;

  constructor(
    private readonly log: Pick<Log, 'info'>,
    private readonly specs: readonly Pick<StreamSpec, 'name' | 'bytesMax' | 'dropsOldest'>[],
    private readonly clock: Pick<Clock, 'monotonicMs'>,
  ) {}

  /** Sizes of the last seconds; empty when the log has not responded for a minute. */
  async get(): Promise<readonly StreamSize[]> {
    if (this.asking === undefined && this.clock.monotonicMs() - this.askedAtMs >= ASK_EVERY_MS) {
      this.askedAtMs = this.clock.monotonicMs();
      this.asking = this.ask().finally(() => (this.asking = undefined));
    }
    if (this.asking !== undefined) await atMost(WAIT_MS, this.asking);
    return this.clock.monotonicMs() - this.answeredAtMs > OLD_MS ? [] : this.latest;
  }

  private async ask(): Promise<void> {
    const sizes = this.specs.map(async ({ name, bytesMax, dropsOldest }): Promise<StreamSize> => {
      const { bytes, firstSequence, lastSequence } = await this.log.info(name);
      // For a new stream both are 0.
      const kept = dropsOldest ? Math.max(0, lastSequence - Math.max(1, firstSequence) + 1) : undefined;
      return { stream: name, bytes, bytesMax, stored: lastSequence, kept };
    });
    try {
      this.latest = await Promise.all(sizes);
      this.answeredAtMs = this.clock.monotonicMs();
    } catch {
      // `rivulet_nats_up` shows why the sizes are not updated.
    }
  }
}

async function atMost(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
