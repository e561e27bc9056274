/** What a node says of itself as a whole: which it is, whether it serves, NATS, the other nodes, the streams, who listens. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Health } from '../supervision/health.js';
import type { Log, StreamSpec } from '../contract/ports.js';
import { StreamSizes } from '../stream-sizes.js';

export interface TrendingTotals {
  readonly subscribers: number;
  readonly lists: number;
  readonly messagesEncoded: number;
  readonly messagesSent: number;
}

/** What is asked when somebody reads the metrics; each costs nothing, but for the log, which is asked now and then. */
export interface NodeSources {
  readonly version: string;
  readonly node: string;
  readonly health: () => Pick<Health, 'serving' | 'takesEvents'> | undefined;
  /** Since when NATS has not answered, epoch ms. */
  readonly natsAwaySinceMs: () => number | undefined;
  readonly cluster: {
    readonly members: readonly unknown[];
    readonly units: readonly unknown[];
    readonly awaySinceMs: number | undefined;
  };
  /** All that there are, whoever owns them. */
  readonly units: number;
  readonly log: Pick<Log, 'info'>;
  readonly streams: readonly Pick<StreamSpec, 'name' | 'bytesMax' | 'dropsOldest'>[];
  /** Of each façade that streams them. */
  readonly trending: () => readonly TrendingTotals[];
  readonly nowMs: () => number;
}

type Value = () => number | undefined;

export function registerNodeMetrics(registry: Registry, sources: NodeSources): void {
  const { version, node, health, natsAwaySinceMs, cluster, units, trending, nowMs } = sources;
  const totalOf = (name: keyof TrendingTotals): number => trending().reduce((sum, totals) => sum + totals[name], 0);
  const registers = [registry];
  const gauge = (name: string, help: string, value: Value): void => {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(value() ?? 0);
      },
    });
  };
  const counter = (name: string, help: string, value: Value): void => {
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset();
        this.inc(value() ?? 0);
      },
    });
  };
  const secondsSince = (sinceMs: number | undefined): number =>
    sinceMs === undefined ? 0 : Math.max(0, (nowMs() - sinceMs) / 1000);

  new Gauge({
    name: 'rivulet_build_info',
    help: 'Always 1: which version runs, as which node',
    ...{ labelNames: ['version', 'node'], registers },
  }).set({ version, node }, 1);
  gauge('rivulet_node_serving', '1 while every part of the node works, 0 while it should not be sent calls', () =>
    Number(health()?.serving === true),
  );
  gauge('rivulet_node_takes_events', '1 while events can be stored', () => Number(health()?.takesEvents === true));
  gauge('rivulet_nats_up', '1 while NATS answers', () => Number(natsAwaySinceMs() === undefined));
  gauge('rivulet_nats_away_seconds', 'For how long NATS has not answered; 0 while it does', () =>
    secondsSince(natsAwaySinceMs()),
  );
  gauge('rivulet_cluster_nodes', 'Nodes that this one sees, itself among them', () => cluster.members.length);
  gauge('rivulet_cluster_units', 'Units of work that the nodes share', () => units);
  gauge('rivulet_cluster_units_owned', 'Units that this node owns and has opened', () => cluster.units.length);
  gauge(
    'rivulet_cluster_away_seconds',
    'For how long this node has been out of touch with the others; 0 while it is not',
    () => secondsSince(cluster.awaySinceMs),
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
  registerStreamMetrics(registry, new StreamSizes(sources.log, sources.streams));
}

function registerStreamMetrics(registry: Registry, sizes: StreamSizes): void {
  const shared = { labelNames: ['stream'] as const, registers: [registry] };
  new Gauge({
    name: 'rivulet_stream_bytes',
    help: 'Bytes that a stream holds; absent while NATS is away',
    ...shared,
    async collect() {
      const all = await sizes.get();
      this.reset();
      for (const { stream, bytes } of all) this.set({ stream }, bytes);
    },
  });
  new Gauge({
    name: 'rivulet_stream_bytes_max',
    help: 'Bytes that a stream may hold: past that, a ledger drops its oldest, and all others refuse what comes',
    ...shared,
    async collect() {
      const all = await sizes.get();
      this.reset();
      for (const { stream, bytesMax } of all) this.set({ stream }, bytesMax);
    },
  });
  new Gauge({
    name: 'rivulet_stream_messages',
    help: 'Messages that a ledger (dead letters, late rows) keeps; one holds many rows',
    ...shared,
    async collect() {
      const all = await sizes.get();
      this.reset();
      for (const { stream, kept } of all) if (kept !== undefined) this.set({ stream }, kept);
    },
  });
  new Counter({
    name: 'rivulet_stream_messages_stored_total',
    help: 'Messages that a stream has stored since it was made',
    ...shared,
    async collect() {
      const all = await sizes.get();
      this.reset();
      for (const { stream, stored } of all) this.inc({ stream }, stored);
    },
  });
}
