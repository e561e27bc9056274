/** `rivulet get`: recommendations for people. */
import { readFileSync } from 'node:fs';
import { CallError } from '../../connectors/grpc/call-error.js';
import { type ConnectOptions, connectRivulet, type Recommendations } from '../../connectors/grpc/client.js';
import type { ClientTls } from '../../connectors/grpc/credentials.js';
import type { Config } from '../config.js';
import { fatal, transient } from '../errors.js';
import type { GetOptions, NodeFlags } from './commands-node.js';
import { settingsOf } from './settings.js';
import { harmless, instant, table } from './terminal.js';

export async function get(userId: string, options: GetOptions): Promise<void> {
  const { config } = settingsOf(options);
  const address = options.address ?? addressOf(config);
  const client = await connectRivulet(address, connectOptions(options));
  try {
    const { number, category = '', excludeSeen = false, explain = false } = options;
    const request = { userId, limit: number, category, excludeSeen, explain };
    const answer = await client.getRecommendations(request).catch((error: unknown) => {
      throw nobodyThere(error, address) ?? error;
    });
    process.stdout.write(`${options.json === true ? asJson(answer) : asText(answer, explain)}\n`);
  } finally {
    client.close();
  }
}

/** The library's words for a refused connection are long; a node that answers itself gives a reason. */
function nobodyThere(error: unknown, address: string): Error | undefined {
  if (!(error instanceof CallError) || error.status !== 'UNAVAILABLE' || error.reason !== undefined) return undefined;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return transient(error.code, `nothing that could be a node answers on ${address}`, hint);
}

/** Where the node of this configuration is reached from this machine. */
export function addressOf({ grpcHost, grpcPort }: Config): string {
  const host =
    { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[grpcHost] ?? (grpcHost.includes(':') ? `[${grpcHost}]` : grpcHost);
  return `${host}:${grpcPort}`;
}

export const TOKEN_VARIABLE = 'RIVULET_TOKEN';

/** What the flags of a command say of how to speak to a node; the token may stand in the environment, as command lines can be read by others. */
export function connectOptions(options: NodeFlags): ConnectOptions {
  const tls = tlsOf(options);
  const token = options.tokenFile === undefined ? process.env[TOKEN_VARIABLE] : readToken(options.tokenFile);
  return { ...(tls === undefined ? {} : { tls }), ...(token === undefined || token === '' ? {} : { token }) };
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw fatal('TOKEN_UNREADABLE', `the token file ${path} cannot be read`, { cause });
  }
}

function tlsOf({ tls, tlsCa, tlsCert, tlsKey, tlsServerName }: NodeFlags): ClientTls | undefined {
  if ([tls, tlsCa, tlsCert, tlsKey, tlsServerName].every((one) => one === undefined)) return undefined;
  return {
    ...(tlsCa === undefined ? {} : { caPath: tlsCa }),
    ...(tlsCert === undefined ? {} : { certPath: tlsCert }),
    ...(tlsKey === undefined ? {} : { keyPath: tlsKey }),
    ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
  };
}

function asJson({ userId, items, asOfMs, model }: Recommendations): string {
  const document = {
    user_id: userId,
    items: items.map(({ itemId, rank, score, category, type, reason, title }) => ({
      ...{ item_id: itemId, rank, score, category, type, reason, title },
    })),
    as_of: asOfMs === undefined ? null : new Date(asOfMs).toISOString(),
    model,
  };
  return JSON.stringify(document, undefined, 2);
}

function asText({ userId, items, asOfMs, model }: Recommendations, explain: boolean): string {
  const head = `${harmless(userId)}   as of ${instant(asOfMs)}   model ${model}`;
  if (items.length === 0) {
    return asOfMs === undefined
      ? `${head}\n\nNothing yet: the node has not seen an event.`
      : `${head}\n\nNothing: no item that is popular passes these filters.`;
  }
  const hasTitles = items.some(({ title }) => title !== undefined);
  const rows = items.map(({ rank, itemId, score, category, type, title, reason }) => [
    ...[String(rank), harmless(itemId), ...(hasTitles ? [harmless(title ?? '')] : []), score.toPrecision(4)],
    ...[harmless(category ?? '–'), type, ...(explain ? [harmless(reason ?? '')] : [])],
  ]);
  const header = [
    '#',
    'ITEM',
    ...(hasTitles ? ['TITLE'] : []),
    'SCORE',
    'CATEGORY',
    'TYPE',
    ...(explain ? ['WHY'] : []),
  ];
  return `${head}\n\n${table(header, rows, new Set([0, hasTitles ? 3 : 2]))}`;
}
