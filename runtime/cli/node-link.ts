/** The node that a command calls over gRPC. */
import { readFileSync } from 'node:fs';
import { authorityOf } from '../../connectors/facade/address.js';
import { CallError } from '../../connectors/grpc/client/call-error.js';
import { type ConnectOptions, connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import type { ClientTls } from '../../connectors/grpc/credentials.js';
import type { Config } from '../config/config.js';
import { fatal, transient } from '../contract/errors.js';
import { reachedAt } from './address.js';
import { type SettingOptions, settingsOf } from './settings.js';

/** Which node to call, and how. */
export interface LinkOptions extends SettingOptions {
  readonly address?: string;
  readonly tls?: true;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
  readonly tokenFile?: string;
}

const TOKEN_VARIABLE = 'RIVULET_TOKEN';

/** Runs `work` with a client of the node, and closes it. */
export async function withNode<T>(options: LinkOptions, work: (client: RivuletClient) => Promise<T>): Promise<T> {
  const { config } = settingsOf(options);
  const address = options.address ?? addressOf(config);
  const client = await connectRivulet(address, connectOptions(options));
  try {
    return await work(client);
  } catch (error) {
    throw nobodyThere(error, address, tlsOf(options) !== undefined) ?? error;
  } finally {
    client.close();
  }
}

/** Shortens the library's message for a refused connection; a node that responds gives a reason itself. */
function nobodyThere(error: unknown, address: string, hasTls: boolean): Error | undefined {
  if (!(error instanceof CallError) || error.status !== 'UNAVAILABLE' || error.reason !== undefined) return undefined;
  const hints = [
    ...(error.hint === undefined ? [] : [error.hint]),
    hasTls
      ? 'it may have no TLS, or a certificate that is not trusted here: see --tls-ca'
      : 'a node with TLS answers who asks with --tls (and --tls-ca FILE)',
  ];
  return transient(error.code, `nothing that could be a node answers on ${address}`, { hint: hints.join('; ') });
}

/** Where the node of this configuration is reached from this machine. */
export const addressOf = ({ grpcHost, grpcPort }: Config): string => authorityOf(reachedAt(grpcHost, grpcPort));

/** Where the page, REST and the metrics of a node on this machine are: `http://127.0.0.1:8080`. */
export const httpAddressOf = ({ httpHost, tlsCertFile }: Config, port: number): string =>
  `${tlsCertFile === undefined ? 'http' : 'https'}://${authorityOf(reachedAt(httpHost, port))}`;

/** The token may come from the environment: other users can read command lines. */
function connectOptions(options: LinkOptions): ConnectOptions {
  const tls = tlsOf(options);
  const token = tokenOf(options);
  return { ...(tls === undefined ? {} : { tls }), ...(token === undefined ? {} : { token }) };
}

/** Absent: none was given. */
export function tokenOf({ tokenFile }: Pick<LinkOptions, 'tokenFile'>): string | undefined {
  if (tokenFile !== undefined) return soundToken(readToken(tokenFile), `the token file ${tokenFile}`);
  const given = process.env[TOKEN_VARIABLE];
  return given === undefined || given === '' ? undefined : soundToken(given, `the variable ${TOKEN_VARIABLE}`);
}

function readToken(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw fatal('TOKEN_UNREADABLE', `the token file ${path} cannot be read`, { cause });
  }
}

/** Errors show no part of a token. */
function soundToken(given: string, place: string): string {
  const token = given.trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const has = token === '' ? 'is empty' : 'holds a line break, a space or other characters that no token has';
  throw fatal('TOKEN_UNUSABLE', `${place} ${has}`, { hint: 'it must hold one token, on one line' });
}

function tlsOf({ tls, tlsCa, tlsCert, tlsKey, tlsServerName }: LinkOptions): ClientTls | undefined {
  if ([tls, tlsCa, tlsCert, tlsKey, tlsServerName].every((one) => one === undefined)) return undefined;
  return {
    ...(tlsCa === undefined ? {} : { caPath: tlsCa }),
    ...(tlsCert === undefined ? {} : { certPath: tlsCert }),
    ...(tlsKey === undefined ? {} : { keyPath: tlsKey }),
    ...(tlsServerName === undefined ? {} : { serverName: tlsServerName }),
  };
}
