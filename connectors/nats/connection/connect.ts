/** Connects to NATS: token, user and password, nkey seed or credentials file, TLS. */
import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type NodeConnectionOptions,
} from '@nats-io/transport-node';
import { systemClock } from '../../../runtime/contract/clock.js';
import { fatal } from '../../../runtime/contract/errors.js';
import { Deadline } from '../../../runtime/supervision/deadline.js';
import { retry } from '../../../runtime/supervision/retry.js';
import { mustBeTolerated } from '../provision/version.js';

export interface NatsOptions {
  /** One or more servers, comma-separated. */
  readonly url: string;
  readonly token?: string;
  readonly user?: string;
  readonly password?: string;
  /** Files with an nkey seed, or with credentials as `nsc` writes them. */
  readonly nkeyFile?: string;
  readonly credsFile?: string;
  readonly tlsCaFile?: string;
  readonly tlsCertFile?: string;
  readonly tlsKeyFile?: string;
  /** How long the first connection is retried, as a server may be restarting. Default: not at all. */
  readonly patienceMs?: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
const AGAIN_AFTER_MS = 100;
/** A server that hangs, or whose machine lost power, closes no socket: after two unanswered pings the client connects to another server. */
const PING_EVERY_MS = 3_000;
const PINGS_UNANSWERED_MAX = 2;

/**
 * Opens a connection that reconnects without limit. Throws Fatal NATS_CONNECT when the first connection fails for `patienceMs`, and NATS_TOO_OLD when
 * the server is too old.
 */
export async function connectNats(options: NatsOptions, name: string): Promise<NatsConnection> {
  const settings: NodeConnectionOptions = {
    servers: options.url.split(',').map((server) => server.trim()),
    name,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 100,
    reconnectJitter: 100,
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_EVERY_MS,
    maxPingOut: PINGS_UNANSWERED_MAX,
    // Stack traces per request cost a third of the publish rate.
    noAsyncTraces: true,
    ...credentials(options),
    ...tls(options),
  };
  const connection = await connected(settings, options);
  try {
    mustBeTolerated(options.url, connection.info?.version ?? '0.0.0');
    return connection;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function connected(
  settings: NodeConnectionOptions,
  { url, patienceMs = 0 }: NatsOptions,
): Promise<NatsConnection> {
  const deadline = new Deadline(patienceMs, systemClock);
  try {
    return await retry(() => connect(settings), {
      ...{ clock: systemClock, pauseMs: AGAIN_AFTER_MS, pauseMsMax: AGAIN_AFTER_MS },
      isRetryable: () => true,
      isWanted: () => deadline.leftMs > 0,
    });
  } catch (error) {
    throw fatal('NATS_CONNECT', `cannot connect to NATS at ${url}`, {
      cause: error,
      hint: 'check RIVULET_NATS_URL and the credentials; without a URL rivulet starts its own nats-server',
    });
  }
}

function credentials(options: NatsOptions): NodeConnectionOptions {
  const authenticators: Authenticator[] = [];
  if (options.credsFile !== undefined) authenticators.push(credsAuthenticator(fileBytes(options.credsFile)));
  if (options.nkeyFile !== undefined) {
    const seed = Buffer.from(fileBytes(options.nkeyFile)).toString('utf8').trim();
    authenticators.push(nkeyAuthenticator(new TextEncoder().encode(seed)));
  }
  return {
    ...(authenticators.length > 0 ? { authenticator: authenticators } : {}),
    ...(options.token === undefined ? {} : { token: options.token }),
    ...(options.user === undefined ? {} : { user: options.user, pass: options.password ?? '' }),
  };
}

function tls({ tlsCaFile, tlsCertFile, tlsKeyFile }: NatsOptions): NodeConnectionOptions {
  if (tlsCaFile === undefined && tlsCertFile === undefined) return {};
  return {
    tls: {
      ...(tlsCaFile === undefined ? {} : { caFile: tlsCaFile }),
      ...(tlsCertFile === undefined ? {} : { certFile: tlsCertFile }),
      ...(tlsKeyFile === undefined ? {} : { keyFile: tlsKeyFile }),
    },
  };
}

function fileBytes(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (error) {
    throw fatal('NATS_CREDENTIALS', `cannot read the NATS credentials in ${path}`, { cause: error });
  }
}
