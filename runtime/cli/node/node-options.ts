/** From configuration to the options of a node and of a bounded job. The last place where a key is read by its name. */
import type { Arm } from '../../../actors/maths/experiment.js';
import { EVENT_TYPES, type EventType, type Strategy, TRENDING_RANKINGS } from '../../../actors/model.js';
import type { PipelineOptions } from '../../../actors/topology.js';
import type { NatsOptions } from '../../../connectors/nats/connection/connect.js';
import type { ActorTuning } from '../../actor/options.js';
import { armsIn, type Config } from '../../config/config.js';
import { commonSettings, deploymentOf } from '../../config/deployment.js';
import type { NodeOptions } from '../../node/node.js';
import { grpcOptions, httpOptions } from './facade-options.js';

const MIB = 1024 * 1024;
const SECOND_MS = 1000;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const SNAPSHOT_BYTES_MAX = 64 * MIB;
const SNAPSHOTS_PER_STREAM = 8;

/** Internal tuning: it changes no output, and its bounds are small compared with the streams. */
const TUNING: Omit<ActorTuning, 'snapshotEveryMs' | 'snapshotEveryBytes'> = {
  inFlightMessages: 8,
  inFlightBytes: 4 * MIB,
  frameMessages: 2_000,
  frameBytes: 512 * 1024,
  frameEveryMs: 20,
  trimEveryMs: 30_000,
};

export function nodeOptions(config: Config): Omit<NodeOptions, 'onProgress'> {
  const nats = natsOptions(config);
  return {
    dataDir: config.dataDir,
    ...(nats === undefined ? {} : { nats }),
    ...(config.natsPort === undefined ? {} : { natsPort: config.natsPort }),
    ...(config.natsServer === undefined ? {} : { natsServer: config.natsServer }),
    natsAnonymous: config.natsAnonymous === 'on',
    pipeline: pipelineOptions(config),
    deployment: deploymentOf(config),
    settings: commonSettings(config),
    threads: config.threads,
    tuning: tuningOf(config),
    tickEveryMs: config.tickEveryMilliseconds,
    logLevel: config.logLevel,
    durability: config.durability,
    replicas: config.replicas,
    leaseMs: config.leaseSeconds * SECOND_MS,
    standbys: config.standbys,
    copyEveryMs: config.copyEverySeconds * SECOND_MS,
    streamBytesMax: streamBytesMax(config),
    ...(config.popularity === undefined ? {} : { popularity: config.popularity }),
    ...(config.sources.folder === undefined
      ? {}
      : { folder: { directory: config.sources.folder, settleMs: config.sources.settleSeconds * SECOND_MS } }),
    ...(config.training.everyMinutes === 0 || config.history.megabytes === 0
      ? {}
      : { trainEveryMs: config.training.everyMinutes * MINUTE_MS }),
    grpc: grpcOptions(config),
    http: httpOptions(config),
  };
}

export const tuningOf = (config: Config): ActorTuning => ({
  ...TUNING,
  snapshotEveryMs: config.snapshotEverySeconds * SECOND_MS,
  // A small stream fills up before the interval ends.
  snapshotEveryBytes: Math.min(SNAPSHOT_BYTES_MAX, streamBytesMax(config) / SNAPSHOTS_PER_STREAM),
});

export const streamBytesMax = (config: Config): number => config.streamMegabytesMax * MIB;

/** The live pipeline; for the differences of the bounded one see `boundedPipeline`. */
export function pipelineOptions({ partitions, sourcePartitions, history, pipeline }: Config): PipelineOptions {
  const { trigger, interest } = pipeline;
  const { arms } = pipeline.experiment;
  return {
    partitions: { source: sourcePartitions, user: partitions, item: partitions },
    parse: {
      schema: pipeline.schema,
      ratingMin: pipeline.minRating,
      ratingMax: pipeline.maxRating,
      dedupeMax: pipeline.duplicateIdsMax,
      messageBytesMax: pipeline.messageBytesMax,
      futureMaxMs: pipeline.futureMaxMinutes * 60_000,
    },
    trigger:
      trigger.kind === 'frame' ? { kind: 'frame' } : { kind: 'interval', everyMs: wholeMs(trigger.everySeconds) },
    watermarkDelayMs: wholeMs(pipeline.watermarkDelaySeconds),
    watermarkSkewMs: wholeMs(pipeline.watermarkSkewSeconds),
    idleAfterMs: wholeMs(pipeline.idleAfterSeconds),
    window: {
      kind: windowKind(pipeline.window),
      allowedLatenessMs: wholeMs(pipeline.allowedLatenessSeconds),
      output: pipeline.windowOutput,
    },
    interest:
      interest.kind === 'epoch'
        ? { kind: 'epoch' }
        : { kind: 'decayed', halfLifeMs: interest.halfLifeHours * HOUR_MS, weights: interest.weights },
    popularity: {
      from: 'events',
      weights: pipeline.popularity.weights,
      ratingMin: pipeline.popularity.ratingMin ?? goodRating(pipeline),
      halfLifeMs: (pipeline.popularity.halfLifeHours ?? Infinity) * HOUR_MS,
    },
    listSize: pipeline.listSize,
    strategy: pipeline.strategy,
    ranking: pipeline.ranking,
    ...(arms === undefined
      ? {}
      : { experiment: { name: pipeline.experiment.name, arms: armsIn(arms) as Arm<Strategy>[] } }),
    trending: trendingOptions(pipeline.trending, partitions),
    ...(history.megabytes === 0
      ? {}
      : { history: { bytes: history.megabytes * MIB, ageMs: Math.round(history.days * DAY_MS) } }),
    mode: 'live',
    chaining: pipeline.chaining === 'on',
  };
}

/** A rating that is good on any scale: 3.5 of 0.5 to 5, 7 of 1 to 10. */
const goodRating = ({ minRating, maxRating }: Config['pipeline']): number =>
  minRating + ((maxRating - minRating) * 2) / 3;

function trendingOptions(
  { counts, viewWeight, clickWeight, rankings, halfLifeHours, itemsMax }: Config['pipeline']['trending'],
  partitions: number,
): PipelineOptions['trending'] {
  const counted = (as: string): EventType[] =>
    EVENT_TYPES.filter((type) => type !== 'impression' && counts[type] === as);
  return {
    ...{ views: counted('view'), clicks: counted('click'), viewWeight, clickWeight },
    rankings: TRENDING_RANKINGS.filter((ranking) => ranking === 'score' || rankings.includes(ranking)),
    halfLifeMs: halfLifeHours * HOUR_MS,
    itemsMax: Math.ceil(itemsMax / partitions),
  };
}

const wholeMs = (seconds: number): number => Math.round(seconds * SECOND_MS);

function windowKind({
  kind,
  sizeSeconds,
  slideSeconds,
  gapSeconds,
}: Config['pipeline']['window']): PipelineOptions['window']['kind'] {
  switch (kind) {
    case 'tumbling':
      return { kind, sizeMs: wholeMs(sizeSeconds) };
    case 'hopping':
      return { kind, sizeMs: wholeMs(sizeSeconds), slideMs: wholeMs(slideSeconds) };
    case 'session':
      return { kind, gapMs: wholeMs(gapSeconds) };
  }
}

/** The configured NATS servers; `undefined`: an embedded one. */
export function natsOptions(config: Config): NatsOptions | undefined {
  if (config.natsUrl === undefined) return undefined;
  const { url, ...inUrl } = withoutCredentials(config.natsUrl);
  const settings: Record<string, string | undefined> = {
    ...inUrl,
    token: config.natsToken ?? inUrl.token,
    user: config.natsUser ?? inUrl.user,
    password: config.natsPassword ?? inUrl.password,
    nkeyFile: config.natsNkeyFile,
    credsFile: config.natsCredsFile,
    tlsCaFile: config.natsTlsCaFile,
    tlsCertFile: config.natsTlsCertFile,
    tlsKeyFile: config.natsTlsKeyFile,
  };
  const given = Object.entries(settings).filter(([, value]) => value !== undefined);
  return { url, ...(Object.fromEntries(given) as Omit<NatsOptions, 'url'>) };
}

/** Removes `user:password@` and `token@` from URLs, so that messages with the URL do not show them. All URLs have the same credentials (config.ts). */
function withoutCredentials(urls: string): { url: string; user?: string; password?: string; token?: string } {
  let found: { user?: string; password?: string; token?: string } = {};
  const url = urls
    .split(',')
    .map((one) =>
      one.trim().replace(/^(\w+:\/\/)?([^@/]+)@/, (_, scheme: string | undefined, info: string) => {
        const [user = '', ...password] = info.split(':').map(decodeURIComponent);
        found = password.length === 0 ? { token: user } : { user, password: password.join(':') };
        return scheme ?? '';
      }),
    )
    .join(',');
  return { url, ...found };
}
