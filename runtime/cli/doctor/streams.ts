/** Doctor: the streams. Which are missing, how full they are, who reads them, and how far the readers are behind. */
import { type ConsumerInfo, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { mainTopology } from '../../../actors/topology.js';
import { processOfReader } from '../../../connectors/nats/log/reader-name.js';
import { explained, isMissing, withoutJetStream } from '../../../connectors/nats/log/stream-manager.js';
import type { Config } from '../../config/config.js';
import { asError } from '../../contract/errors.js';
import { streamsOf } from '../../contract/streams.js';
import { broken, type Finding, ok, warning } from './finding.js';
import { pipelineOptions } from '../node/node-options.js';
import { duration, grouped } from '../terminal.js';

const SKEW_MS_MAX = 2_000;
/** Waiting messages above which an instance counts as behind. */
const LAG_MAX = 10_000;

const counted = (n: number, what: string): string => `${grouped(n)} ${what}${n === 1 ? '' : 's'}`;

/** `processes`: of the live nodes; absent: not known. */
export async function streamFindings(
  config: Config,
  connection: NatsConnection,
  processes: ReadonlySet<string> | undefined,
): Promise<Finding[]> {
  let manager: JetStreamManager;
  try {
    manager = await jetstreamManager(connection);
  } catch (error) {
    const { message, hint } = withoutJetStream(error);
    return [broken(`${message}: ${asError(error).message}`, hint!)];
  }
  const askedMs = Date.now();
  const { missing, silent, present, skewMs } = await streams(config, manager, askedMs, processes);
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
  return [...findings, ...present.map(lagOf), ...leftFindings(present)];
}

interface StreamState {
  readonly name: string;
  readonly messages: number;
  readonly share: number;
  /** Messages not yet delivered to its slowest reader. */
  readonly lag: number;
  readonly readers: number;
  /** Consumers without a reader. */
  readonly left: number;
  /** A log for people; when it is full, the oldest messages are dropped. */
  readonly browsable: boolean;
}

async function streams(
  config: Config,
  manager: JetStreamManager,
  askedMs: number,
  processes: ReadonlySet<string> | undefined,
): Promise<{
  readonly missing: string[];
  /** Streams that exist and do not respond. */
  readonly silent: string[];
  readonly present: StreamState[];
  readonly skewMs: number | undefined;
}> {
  const wanted = streamsOf(mainTopology(pipelineOptions(config)), { bytesMax: 0, replicas: config.replicas });
  const present: StreamState[] = [];
  const missing: string[] = [];
  const silent: string[] = [];
  let skewMs: number | undefined;
  for (const { name, dropsOldest: browsable } of wanted) {
    try {
      const { state, config: stream, ts } = await manager.streams.info(name);
      const said = typeof ts === 'string' ? Date.parse(ts) : NaN;
      if (!Number.isNaN(said)) skewMs ??= said - (askedMs + Date.now()) / 2;
      let [lag, readers, left] = [0, 0, 0];
      for await (const consumer of manager.consumers.list(name)) {
        if (!isRead(consumer, processes)) {
          left++;
          continue;
        }
        lag = Math.max(lag, consumer.num_pending);
        readers++;
      }
      present.push({
        name,
        messages: state.messages,
        share: stream.max_bytes > 0 ? state.bytes / stream.max_bytes : 0,
        lag,
        readers,
        left,
        browsable,
      });
    } catch (error) {
      (isMissing(explained(error, name)) ? missing : silent).push(name);
    }
  }
  return { missing, silent, present, skewMs };
}

/**
 * The server keeps a consumer for minutes after its reader has died, and its backlog has no meaning. A reader whose buffer is full requests no messages:
 * it counts while its node is live. One with pending requests is live, also if its node has not joined yet, is of an earlier version, or is a
 * command: the server drops pending requests with the connection.
 */
const isRead = ({ name, num_waiting: waiting }: ConsumerInfo, processes: ReadonlySet<string> | undefined): boolean =>
  processes === undefined || waiting > 0 || processes.has(processOfReader(name) ?? '');

function leftFindings(streams: readonly StreamState[]): Finding[] {
  const left = streams.reduce((sum, stream) => sum + stream.left, 0);
  if (left === 0) return [];
  return [
    ok(
      `${counted(left, 'reader')} of nodes or commands that are gone: harmless, and not counted above; NATS forgets them after 5 min`,
    ),
  ];
}

function lagOf({ name, messages, share, lag, readers, browsable }: StreamState): Finding {
  if (browsable) return ok(`${name}: ${grouped(messages)} messages are kept`);
  const text = `${name}: ${grouped(messages)} messages, ${(share * 100).toFixed(0)} % full, ${counted(readers, 'reader')}, ${grouped(lag)} pending`;
  if (lag > LAG_MAX) return warning(text, 'it falls behind: more --threads or --partitions, or fewer events');
  return share > 0.9 ? warning(text, 'raise streamMegabytesMax, or find out which node does not read it') : ok(text);
}
