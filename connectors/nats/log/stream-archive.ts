/**
 * Whole streams as bytes, and back: the server's own stream snapshots (`$JS.API.STREAM.SNAPSHOT` and `RESTORE`), for which the client has no API.
 * They contain messages, headers, times, sequences with their gaps, and the configuration.
 *
 * Snapshot: the server sends chunks to a subject of ours and waits for acknowledgements, at most a window ahead; the last chunk is empty and carries
 * the result. A snapshot has the messages of the stream as of the request, except those removed while it is read: see `removedSince`.
 * Restore: the server names a subject, accepts chunks as requests, and answers the empty one at the end when the stream is restored.
 */
import { randomUUID } from 'node:crypto';
import type { JetStreamManager, StreamConfig, StreamInfo as ServerStreamInfo } from '@nats-io/jetstream';
import { createInbox, type Msg, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import { asError, fatal, transient } from '../../../runtime/contract/errors.js';
import { retryWhileUnreachable } from '../connection/retry.js';
import { restoredMetadata } from './stream-identity.js';
import { ensureStream, explained, isMissing, openManager } from './stream-manager.js';

/** The state of a stream as the server reports it, with the server's field names: they are sent back at a restore. */
export interface StreamState {
  readonly messages: number;
  readonly bytes: number;
  readonly first_seq: number;
  readonly last_seq: number;
}

/** A saved stream, without its bytes. */
export interface SavedStream {
  readonly name: string;
  readonly created: string;
  readonly config: StreamConfig;
  readonly state: StreamState;
}

const CHUNK_BYTES = 128 * 1024;
const WINDOW_BYTES = 8 * 1024 * 1024;
/** For an answer; before a restore the server may first have to place the stream in its cluster. */
const ANSWER_MS = 30_000;
const CHUNK_MS = 60_000;
/** As in HTTP: a cluster without a leader answers with it. */
const UNAVAILABLE = 503;

export class StreamArchive {
  private disconnects = 0;
  private receiving: Subscription | undefined;

  private constructor(
    private readonly connection: NatsConnection,
    private readonly manager: JetStreamManager,
  ) {
    void this.watch();
  }

  static async open(connection: NatsConnection): Promise<StreamArchive> {
    return new StreamArchive(connection, await openManager(connection));
  }

  get serverVersion(): string {
    return this.connection.info?.version ?? 'unknown';
  }

  /** Names of all streams of the account, sorted. */
  async names(): Promise<string[]> {
    const listed = async (): Promise<string[]> => {
      const names: string[] = [];
      for await (const name of this.manager.streams.names()) names.push(name);
      return names.sort();
    };
    return retryThroughFailure('the streams', listed);
  }

  /** `undefined`: no such stream. */
  async find(name: string): Promise<SavedStream | undefined> {
    try {
      return savedOf(await this.info(name));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }

  /** Resolves when the stream does not exist. */
  async delete(name: string): Promise<void> {
    await retryThroughFailure(name, () => this.manager.streams.delete(name)).catch((error: unknown) => {
      // A delete whose answer was lost finds the stream missing when retried.
      if (!isMissing(error)) throw error;
    });
  }

  /**
   * Creates a stream without messages, as a marker with an optional text: with as many replicas as the streams that it marks, so that it lasts as
   * long.
   */
  async mark(name: string, replicas: number, text?: string): Promise<void> {
    const description = text === undefined ? {} : { description: text };
    await retryThroughFailure(name, () =>
      ensureStream(this.manager, { name, subjects: [name], max_msgs: 1, num_replicas: replicas, ...description }),
    );
  }

  /** Passes the stream's snapshot to `write`, chunk by chunk. Transient ARCHIVE_BROKEN when it did not arrive whole: retry. */
  async save(name: string, write: (chunk: Uint8Array) => Promise<void>, signal: AbortSignal): Promise<SavedStream> {
    const { created } = await this.info(name);
    const { disconnects } = this;
    const inbox = createInbox();
    const subscription = this.connection.subscribe(inbox);
    this.receiving = subscription;
    // Consumers belong to readers, and are not needed: actors read by sequence.
    const wanted = { deliver_subject: inbox, no_consumers: true, chunk_size: CHUNK_BYTES, window_size: WINDOW_BYTES };
    try {
      const { config, state } = await retryThroughFailure(name, () =>
        this.ask<{ config: StreamConfig; state: StreamState }>(`SNAPSHOT.${name}`, wanted),
      );
      await receive(name, subscription, write, signal);
      return { name, created, config, state };
    } catch (error) {
      // Chunks under way when the connection broke are lost, and the server has given up.
      throw this.disconnects === disconnects ? error : broken(name, 'the connection to NATS broke', error);
    } finally {
      subscription.unsubscribe();
    }
  }

  /** How many messages the stream has lost since it was saved: with none lost, the snapshot is exactly its state of that moment. */
  async removedSince({ name, state: before }: SavedStream): Promise<number> {
    const { state: now } = await this.info(name);
    return before.messages + (now.last_seq - before.last_seq) - now.messages;
  }

  /**
   * Creates the stream from its snapshot, with a new identity. Rejects with Fatal RESTORE_STREAM when the server refuses, or when the result differs
   * from the saved stream; a part of the stream may then exist.
   */
  async restore(
    { name, created, config, state }: SavedStream,
    chunks: AsyncIterable<Uint8Array>,
    replicas: number | undefined,
  ): Promise<void> {
    const metadata = restoredMetadata(config, created, state.last_seq, randomUUID());
    const wanted = { ...config, metadata, num_replicas: replicas ?? config.num_replicas };
    try {
      const { deliver_subject: target } = await this.ask<{ deliver_subject: string }>(`RESTORE.${name}`, {
        config: wanted,
        state,
      });
      for await (const chunk of chunks) answerOf(await this.connection.request(target, chunk, { timeout: CHUNK_MS }));
      answerOf(await this.connection.request(target, new Uint8Array(0), { timeout: CHUNK_MS }));
    } catch (error) {
      throw fatal('RESTORE_STREAM', `the server cannot restore ${name}: ${asError(error).message}`, {
        cause: error,
        ...(/replicas|peers/i.test(asError(error).message)
          ? {
              hint: `the backup is of ${config.num_replicas} replicas; say how many this NATS can hold with --replicas`,
            }
          : {}),
      });
    }
    const { state: now } = await this.info(name);
    if (now.messages === state.messages && now.last_seq === state.last_seq) return;
    const [is, was] = [now, state].map(({ messages, last_seq: last }) => `${messages} messages up to ${last}`);
    throw fatal('RESTORE_STREAM', `${name} was saved with ${was}, and has ${is}`, {
      hint: 'the stream was damaged when it was saved: use another backup',
    });
  }

  private info(name: string): Promise<ServerStreamInfo> {
    return retryThroughFailure(name, () => this.manager.streams.info(name));
  }

  private async ask<T>(operation: string, request: object): Promise<T> {
    const subject = `$JS.API.STREAM.${operation}`;
    return answerOf(await this.connection.request(subject, JSON.stringify(request), { timeout: ANSWER_MS })) as T;
  }

  private async watch(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type !== 'disconnect') continue;
      this.disconnects++;
      this.receiving?.unsubscribe();
    }
  }
}

/** Waits while a cluster elects a leader. Transient LOG_UNREACHABLE when that takes too long, STREAM_NOT_FOUND. */
const retryThroughFailure = <T>(stream: string, work: () => Promise<T>): Promise<T> =>
  retryWhileUnreachable(() =>
    work().catch((error: unknown) => {
      throw explained(error, stream);
    }),
  );

const savedOf = ({ config, created, state }: ServerStreamInfo): SavedStream => ({
  name: config.name,
  created,
  config,
  state,
});

const broken = (name: string, why: string, cause?: unknown): Error =>
  transient('ARCHIVE_BROKEN', `the snapshot of ${name} did not arrive whole: ${why}`, { cause });

/** Reads chunks until the empty one, acknowledges each when it is written, and checks that none is missing. */
async function receive(
  name: string,
  subscription: Subscription,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const watchdog = setTimeout(() => subscription.unsubscribe(), CHUNK_MS);
  const onAbort = (): void => subscription.unsubscribe();
  signal.addEventListener('abort', onAbort, { once: true });
  let taken = 0;
  try {
    for await (const message of subscription) {
      signal.throwIfAborted();
      if (message.data.length === 0) {
        const { code = 0, description = '' } = message.headers ?? {};
        if (code >= 400) throw broken(name, `${description} (${code})`);
        return;
      }
      taken++;
      // `$JS.SNAPSHOT.ACK.<stream>.<id>.<bytes>.<number>`; the last, shorter chunk expects no answer.
      const [bytes, number] = (message.reply ?? '').split('.').slice(-2).map(Number);
      if (message.reply && (number !== taken || bytes !== message.data.length)) {
        throw broken(name, `chunk ${number} came as number ${taken}`);
      }
      await write(message.data);
      message.respond();
      watchdog.refresh();
    }
    signal.throwIfAborted();
    throw broken(name, 'the server fell silent');
  } finally {
    clearTimeout(watchdog);
    signal.removeEventListener('abort', onAbort);
  }
}

/** The server's JSON; an empty object for an empty answer. Throws an error that the server reports. */
function answerOf(message: Msg): object {
  if (message.data.length === 0) return {};
  const answer = message.json<{
    readonly error?: { readonly description?: string; readonly code?: number; readonly err_code?: number };
  }>();
  if (answer.error === undefined) return answer;
  const { description = 'refused', code: status, err_code: code } = answer.error;
  throw transient(
    status === UNAVAILABLE ? 'LOG_UNREACHABLE' : 'ARCHIVE_REFUSED',
    `${description}${code === undefined ? '' : ` (${code})`}`,
  );
}
