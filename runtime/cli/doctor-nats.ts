/** Doctor: the NATS that is configured, or that of the running node. JetStream, version, limits, clock, streams. */
import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection, ServerInfo } from '@nats-io/transport-node';
import { mainTopology } from '../../actors/topology.js';
import { connectNats, type NatsOptions } from '../../connectors/nats/connect.js';
import { explained, isMissing, withoutJetStream } from '../../connectors/nats/stream-manager.js';
import { versionWarning } from '../../connectors/nats/server-version.js';
import type { Config } from '../config.js';
import { asError, RivuletError } from '../errors.js';
import { SYNC_UNSEEN } from '../main-nats.js';
import { streamsOf } from '../streams.js';
import { broken, type Check, type Finding, ok, warning } from './doctor.js';
import { runningServer } from './nats-link.js';
import { DEAD_LETTER_BYTES } from '../streams.js';
import { deployed } from './nodes.js';
import { knobsOf, natsOptions, pipelineOptions } from './node-options.js';
import { duration, grouped } from './terminal.js';

const MIB = 1024 * 1024;
const SKEW_MS_MAX = 2_000;
/** Messages that wait before an instance counts as behind. */
const LAG_MAX = 10_000;

export function natsChecks(config: Config): Check[] {
  const named = natsOptions(config);
  const running = named === undefined ? runningServer(config.dataDir) : undefined;
  const options = named ?? (running === undefined ? undefined : { url: running.url });
  if (options === undefined) return [];
  return [{ name: 'nats', run: () => nats(config, options) }];
}

async function nats(config: Config, options: NatsOptions): Promise<readonly Finding[]> {
  let connection: NatsConnection;
  try {
    connection = await connectNats(options, 'rivulet-doctor');
  } catch (error) {
    const { message, cause } = asError(error);
    if (error instanceof RivuletError && error.code === 'NATS_TOO_OLD') return [broken(message, error.hint!)];
    return [
      broken(`${message}: ${asError(cause).message}`, 'check natsUrl, the credentials, and that the server runs'),
    ];
  }
  try {
    const streams = await jetStream(config, connection);
    return [...server(config, connection, options.url), ...streams, ...(await units(config, connection))];
  } finally {
    await connection.close();
  }
}

function server(config: Config, { info }: NatsConnection, url: string): Finding[] {
  const version = info?.version ?? 'unknown';
  const lacks = versionWarning(url, version);
  const payload = info?.max_payload ?? 0;
  const { frameBytes } = knobsOf(config);
  const wanted = Math.max(frameBytes, config.pipeline.messageBytesMax) + DEAD_LETTER_BYTES;
  return [
    ...clusterFindings(config, info, url),
    lacks === undefined ? ok(`NATS at ${url}: nats-server ${version}`) : warning(lacks, 'upgrade the server'),
    payload >= wanted
      ? ok(`messages of up to ${(payload / MIB).toFixed(1)} MiB`)
      : warning(
          `the server takes messages of up to ${grouped(payload)} bytes only`,
          `set its max_payload to ${grouped(wanted)} or more, or lower pipeline.messageBytesMax`,
        ),
  ];
}

/** Replicas need servers; `power` needs what only the servers know. */
export function clusterFindings(
  { replicas, durability, natsUrl }: Pick<Config, 'replicas' | 'durability' | 'natsUrl'>,
  info: Pick<ServerInfo, 'cluster' | 'connect_urls'> | undefined,
  url: string,
): Finding[] {
  const findings: Finding[] = [];
  const servers = info?.cluster === undefined ? 1 : info.connect_urls?.length;
  if (servers !== undefined && servers < replicas) {
    const known = servers === 1 ? 'is a single server' : `are ${servers} servers`;
    findings.push(
      broken(
        `replicas is ${replicas}, but NATS at ${url} ${known}`,
        'lower replicas, or let more servers join the cluster',
      ),
    );
  } else if (replicas === 1 && (servers ?? 2) > 1) {
    findings.push(
      warning('replicas is 1: each stream waits for the one server of the cluster that keeps it', 'set replicas to 3'),
    );
  }
  if (durability === 'power' && natsUrl !== undefined) {
    findings.push(warning(SYNC_UNSEEN, 'check the configuration of the servers; on their monitoring port: /varz'));
  }
  return findings;
}

async function jetStream(config: Config, connection: NatsConnection): Promise<Finding[]> {
  let manager: JetStreamManager;
  try {
    manager = await jetstreamManager(connection);
  } catch (error) {
    const { message, hint } = withoutJetStream(error);
    return [broken(`${message}: ${asError(error).message}`, hint!)];
  }
  const askedMs = Date.now();
  const { missing, silent, present, skewMs } = await streams(config, manager, askedMs);
  if (present.length === 0 && silent.length === 0)
    return [ok('JetStream is on; no node has run here yet (no streams)')];
  const findings = [ok(`JetStream is on: ${present.length} streams`)];
  if (missing.length > 0) {
    findings.push(
      warning(`streams that this configuration needs are not there: ${missing.join(', ')}`, 'rivulet start makes them'),
    );
  }
  if (silent.length > 0) {
    findings.push(
      broken(
        `streams without a leader: ${silent.join(', ')}`,
        'start the NATS servers that keep them, or more of them',
      ),
    );
  }
  if (skewMs !== undefined && Math.abs(skewMs) > SKEW_MS_MAX) {
    findings.push(
      warning(
        `the server's clock is ${duration(skewMs)} off this one's`,
        'set both by NTP: windows and lateness follow the clock',
      ),
    );
  }
  return [...findings, ...present.map(lagOf)];
}

/** Who owns what; what nobody owns is not worked off. */
async function units(config: Config, connection: NatsConnection): Promise<Finding[]> {
  const found = await deployed(config, connection).catch(() => undefined);
  if (found === undefined) return [];
  if (found.nodes.length === 0) return [warning('no node runs on this NATS', 'start one: rivulet start')];
  const orphans = found.units.filter(({ owner }) => owner === undefined).map(({ unit }) => unit);
  const count = `${found.nodes.length} ${found.nodes.length === 1 ? 'node' : 'nodes'}`;
  return orphans.length === 0
    ? [ok(`${count}, and each of the ${found.units.length} units has an owner`)]
    : [
        warning(
          `${count}, and units without an owner: ${orphans.join(', ')}`,
          `a node takes them within ${config.leaseSeconds} s; if not, see rivulet nodes, and the logs of the nodes`,
        ),
      ];
}

interface StreamState {
  readonly name: string;
  readonly messages: number;
  readonly share: number;
  /** Messages that the slowest of its readers has not been sent. */
  readonly lag: number;
  readonly readers: number;
  /** People read it at leisure; when it is full, the oldest go. */
  readonly ledger: boolean;
}

async function streams(
  config: Config,
  manager: JetStreamManager,
  askedMs: number,
): Promise<{
  readonly missing: string[];
  /** There, and nobody answers for them. */
  readonly silent: string[];
  readonly present: StreamState[];
  readonly skewMs: number | undefined;
}> {
  const wanted = streamsOf(mainTopology(pipelineOptions(config)), { bytesMax: 0, replicas: config.replicas });
  const present: StreamState[] = [];
  const missing: string[] = [];
  const silent: string[] = [];
  let skewMs: number | undefined;
  for (const { name, dropsOldest: ledger } of wanted) {
    try {
      const { state, config: stream, ts } = await manager.streams.info(name);
      const said = typeof ts === 'string' ? Date.parse(ts) : NaN;
      if (!Number.isNaN(said)) skewMs ??= said - (askedMs + Date.now()) / 2;
      let [lag, readers] = [0, 0];
      for await (const { num_pending: pending } of manager.consumers.list(name)) {
        lag = Math.max(lag, pending);
        readers++;
      }
      present.push({
        name,
        messages: state.messages,
        share: stream.max_bytes > 0 ? state.bytes / stream.max_bytes : 0,
        lag,
        readers,
        ledger,
      });
    } catch (error) {
      (isMissing(explained(error, name)) ? missing : silent).push(name);
    }
  }
  return { missing, silent, present, skewMs };
}

function lagOf({ name, messages, share, lag, readers, ledger }: StreamState): Finding {
  if (ledger) return ok(`${name}: ${grouped(messages)} messages are kept`);
  const text = `${name}: ${grouped(messages)} messages, ${(share * 100).toFixed(0)} % full, ${readers} readers, ${grouped(lag)} waiting`;
  if (lag > LAG_MAX) return warning(text, 'it falls behind: more --threads or --partitions, or fewer events');
  return share > 0.9 ? warning(text, 'raise streamMegabytesMax, or find out which node does not read it') : ok(text);
}
