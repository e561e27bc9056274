/** Doctor: the configured NATS, or that of the running node. Version, limits, cluster, owners of shards; for the streams see streams.ts. */
import type { NatsConnection, ServerInfo } from '@nats-io/transport-node';
import { connectNats, type NatsOptions } from '../../../connectors/nats/connection/connect.js';
import { versionWarning } from '../../../connectors/nats/provision/version.js';
import type { Config } from '../../config/config.js';
import { asError, hasCode } from '../../contract/errors.js';
import { SYNC_UNSEEN } from '../../node/nats.js';
import { broken, type Check, type Finding, ok, warning } from './finding.js';
import { natsCommand, natsIfAny } from '../nats-link.js';
import { DEAD_LETTER_BYTES } from '../../contract/streams.js';
import { streamFindings } from './streams.js';
import { type Deployed, deployed } from '../node/nodes.js';
import { tuningOf } from '../node/node-options.js';
import { strangeEntries, strangeText } from '../repair/strange-entries.js';
import { grouped } from '../terminal.js';

const MIB = 1024 * 1024;

export function natsChecks(config: Config): Check[] {
  const options = natsIfAny(config);
  if (options === undefined) return [];
  return [{ name: 'nats', run: () => nats(config, options) }];
}

async function nats(config: Config, options: NatsOptions): Promise<readonly Finding[]> {
  let connection: NatsConnection;
  try {
    connection = await connectNats(options, 'rivulet-doctor');
  } catch (error) {
    const { message, cause } = asError(error);
    if (hasCode(error, 'NATS_TOO_OLD')) return [broken(message, error.hint!)];
    return [
      broken(`${message}: ${asError(cause).message}`, 'check natsUrl, the credentials, and that the server runs'),
    ];
  }
  try {
    // Without the tables of nodes and shards there are no findings about them.
    const found = await deployed(config, connection).catch(() => undefined);
    const processes = found === undefined ? undefined : new Set(found.nodes.map(({ process }) => process));
    const streams = await streamFindings(config, connection, processes);
    const strange = (await strangeEntries(connection)).map((entry) =>
      broken(strangeText(entry), 'rivulet repair --yes removes it; a node makes it anew'),
    );
    return [...server(config, connection, options), ...streams, ...strange, ...shards(config, found)];
  } finally {
    await connection.close();
  }
}

function server(config: Config, { info }: NatsConnection, options: NatsOptions): Finding[] {
  const { url } = options;
  const isOwn = config.natsUrl === undefined;
  const version = info?.version ?? 'unknown';
  const lacks = versionWarning(url, version);
  const payload = info?.max_payload ?? 0;
  const { frameBytes } = tuningOf(config);
  const wanted = Math.max(frameBytes, config.pipeline.messageBytesMax) + DEAD_LETTER_BYTES;
  return [
    ...clusterFindings(config, info, url),
    lacks === undefined
      ? ok(`NATS at ${url}: nats-server ${version}${isOwn ? `; look into it with: ${natsCommand(options)}` : ''}`)
      : warning(lacks, 'upgrade the server'),
    payload >= wanted
      ? ok(`messages of up to ${(payload / MIB).toFixed(1)} MiB`)
      : warning(
          `the server takes messages of up to ${grouped(payload)} bytes only`,
          `set its max_payload to ${grouped(wanted)} or more, or lower pipeline.messageBytesMax`,
        ),
  ];
}

/** Replicas need servers; `power` needs a setting that only the servers know. */
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

/** Owners of shards; a shard without an owner is not processed. */
function shards(config: Config, found: Deployed | undefined): Finding[] {
  if (found === undefined) return [];
  if (found.nodes.length === 0) return [warning('no node runs on this NATS', 'start one: rivulet start')];
  const orphans = found.shards.filter(({ owner }) => owner === undefined).map(({ shard }) => shard);
  const count = `${found.nodes.length} ${found.nodes.length === 1 ? 'node' : 'nodes'}`;
  return orphans.length === 0
    ? [ok(`${count}, and each of the ${found.shards.length} shards has an owner`)]
    : [
        warning(
          `${count}, and shards without an owner: ${orphans.join(', ')}`,
          `a node takes them within ${config.leaseSeconds} s; if not, see rivulet nodes, and the logs of the nodes`,
        ),
      ];
}
