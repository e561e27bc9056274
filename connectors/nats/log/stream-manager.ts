/** Creates and updates streams, and reports errors in Rivulet's terms. */
import { isDeepStrictEqual } from 'node:util';
import {
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream';
import { errors, type NatsConnection } from '@nats-io/transport-node';

import { fatal, hasCode, RivuletError, transient } from '../../../runtime/contract/errors.js';
import { retryWhileUnreachable } from '../connection/retry.js';

export const REQUEST_TIMEOUT_MS = 5_000;

/** err_code of the JetStream API. */
const STREAM_NOT_FOUND = 10059;
const NAME_IN_USE = 10058;
const LEADERLESS = 10008;
/** The disk, or the account's share of it, is smaller than the maximum size of the stream. */
const NO_STORAGE = 10047;
const UNAVAILABLE = 503;
/** More replicas than servers: not clustered at all, or too few peers. */
const REPLICAS_REFUSED = new Set([10005, 10074]);

export type WantedStream = Partial<StreamConfig> & { readonly name: string };

/** Fatal NATS_JETSTREAM, NATS_RIGHTS, NATS_LEADERLESS. A cluster that is electing a leader does not answer, and is waited for. */
export async function openManager(connection: NatsConnection): Promise<JetStreamManager> {
  const open = (): Promise<JetStreamManager> => jetstreamManager(connection, { timeout: REQUEST_TIMEOUT_MS });
  return retryWhileUnreachable(open, (error) => error instanceof errors.TimeoutError).catch((error: unknown) => {
    throw withoutJetStream(error);
  });
}

/** Why JetStream is not available. A cluster without a quorum is silent at first, and reports it after some time without a leader. */
export function withoutJetStream(cause: unknown): RivuletError {
  if (cause instanceof errors.TimeoutError || codeOf(cause) === LEADERLESS) {
    return fatal('NATS_LEADERLESS', 'no JetStream leader answers', {
      cause,
      hint: 'start the servers of the NATS cluster that are down: more than half of them must run, and reach each other',
    });
  }
  if (cause instanceof Error && [cause, cause.cause].some((one) => one instanceof errors.PermissionViolationError)) {
    return fatal('NATS_RIGHTS', 'who connects to NATS with these credentials, or none, may not use its streams', {
      cause,
      hint:
        'for the embedded server of a node name its data directory (--data-dir), not its URL, or its key, nats/node.nk in there (RIVULET_NATS_NKEY_FILE); ' +
        'on a server of your own give this user the rights of a node (deploy/nats/users.conf)',
    });
  }
  return fatal('NATS_JETSTREAM', 'the NATS server has no JetStream for this account', {
    cause,
    hint: 'start nats-server with -js, or enable JetStream for the account',
  });
}

/**
 * Creates the stream, or updates the fields that differ; unnamed fields stay, also in its metadata. Several nodes may do so at the same time: in a
 * cluster all but one of them may get no answer, so it retries.
 */
export async function ensureStream(manager: JetStreamManager, wanted: WantedStream): Promise<void> {
  try {
    await retryWhileUnreachable(async () => {
      if (!(await updated(manager, wanted))) await manager.streams.add(wanted);
    }, isUndecided);
  } catch (error) {
    throw explained(error, wanted.name, wanted.num_replicas);
  }
}

/** No answer, a temporary error, or another node has just created the stream with other settings. */
function isUndecided(error: unknown): boolean {
  if (!(error instanceof JetStreamApiError)) return true;
  return error.status === UNAVAILABLE || error.code === NAME_IN_USE;
}

/** False when the stream does not exist. */
async function updated(manager: JetStreamManager, wanted: WantedStream): Promise<boolean> {
  let current: StreamInfo;
  try {
    current = await manager.streams.info(wanted.name);
  } catch (error) {
    if (codeOf(error) === STREAM_NOT_FOUND) return false;
    throw error;
  }
  // A node configured with fewer replicas must not remove replicas from the others.
  const num_replicas = Math.max(current.config.num_replicas, wanted.num_replicas ?? 0);
  const metadata = { ...current.config.metadata, ...wanted.metadata };
  const changed = { ...wanted, num_replicas, ...(wanted.metadata === undefined ? {} : { metadata }) };
  if (differs(current.config, changed)) await manager.streams.update(wanted.name, changed);
  return true;
}

function differs(current: StreamConfig, wanted: WantedStream): boolean {
  const plain = (value: unknown): unknown => (Array.isArray(value) ? [...(value as unknown[])].sort() : value);
  return Object.entries(wanted).some(
    ([key, value]) => !isDeepStrictEqual(plain(current[key as keyof StreamConfig]), plain(value)),
  );
}

/** The subjects of the messages in a stream, from its leader. */
export async function subjectsOf(manager: JetStreamManager, stream: string, filter: string): Promise<string[]> {
  try {
    const { state } = await manager.streams.info(stream, { subjects_filter: filter });
    return Object.keys(state.subjects ?? {});
  } catch (error) {
    throw explained(error, stream);
  }
}

export const isMissing = (error: unknown): boolean => hasCode(error, 'STREAM_NOT_FOUND');

export function explained(error: unknown, stream: string, replicas = 1): Error {
  if (error instanceof RivuletError) return error;
  if (isMissing(error)) return error as Error;
  const code = codeOf(error);
  if (code === STREAM_NOT_FOUND) return transient('STREAM_NOT_FOUND', `there is no stream ${stream}`, { cause: error });
  if (code !== undefined && REPLICAS_REFUSED.has(code) && replicas > 1) {
    return fatal('NATS_REPLICAS', `the NATS servers cannot keep ${replicas} replicas of ${stream}`, {
      cause: error,
      hint: 'set `replicas` (--replicas) to at most the number of servers in the NATS cluster, or let more servers join it',
    });
  }
  if (code === NO_STORAGE) {
    return fatal('NATS_STORAGE', `the NATS server has not the room to keep ${stream}`, {
      cause: error,
      hint: 'make space where the NATS store is (the data directory, if it is embedded), or lower streamMegabytesMax or history.megabytes',
    });
  }
  return transient('LOG_UNREACHABLE', `JetStream cannot serve ${stream} now`, { cause: error });
}

const codeOf = (error: unknown): number | undefined => (error instanceof JetStreamApiError ? error.code : undefined);
