/**
 * The log on JetStream.
 *
 * Invariants
 *   NATS-LOG-1  A publish resolves with the sequence that the server acknowledged; an unknown outcome is reported as such (LOG_UNKNOWN).
 *   NATS-LOG-2  With `expected`, the server itself refuses a second writer (Nats-Expected-Last-Subject-Sequence).
 *   NATS-LOG-3  A reader's memory is bounded: PREFETCH_FRAMES or PREFETCH_MESSAGES from the server, then QUEUE_FRAMES or QUEUE_MESSAGES here.
 *   NATS-LOG-4  A reader continues without gap or repeat whichever server dies, but never in another stream of the same name, nor in one that was
 *   rolled
 *               back behind the messages already read.
 */
import {
  type ConsumerMessages,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { headers as newHeaders, type MsgHdrs, nanos, type NatsConnection } from '@nats-io/transport-node';
import { asError, fatal, poison, transient } from '../../../runtime/contract/errors.js';
import type { Log, LogMessage, Reader, StreamInfo, StreamSpec } from '../../../runtime/contract/ports.js';
import { discarded, EXPECTED_LAST, expectedIn, type Feed, type LastRead, NatsReader, plainHeaders } from './reader.js';
import { readerPrefix } from './reader-name.js';
import { Requests } from './requests.js';
import { judgeLastRead, judgeStream, messageOf, type Verdict } from '../../../runtime/log-integrity/verdict.js';
import { ensureStream, explained, isMissing, openManager, REQUEST_TIMEOUT_MS } from './stream-manager.js';
import { identityOf } from './stream-identity.js';

const HEARTBEAT_MS = 1_000;
/** Frames are at most some 0.8 MB, publishers' messages mostly below 1 KB. */
const PREFETCH_FRAMES = 8;
/** The next pull is sent when no more than these are on their way: each pull costs a write, and live frames are small and many. */
const REFILL_FRAMES = 2;
const PREFETCH_MESSAGES = 2_000;
/** Taken from the client, but not yet by the actor. */
const QUEUE_FRAMES = 2;
const QUEUE_MESSAGES = 1_000;

/** The server counts headers as payload; those of Rivulet take some 70 bytes, a content type some 60, a trace context up to 600. */
const HEADER_BYTES_MAX = 1024;

/** err_code of the JetStream API: wrong last sequence, the same while another write is under way, limits reached. */
const WRONG_LAST_SEQUENCE = new Set([10071, 10164]);
const LIMITS_REACHED = new Set([10077, 10047, 10023]);
const MESSAGE_SIZE = 10054;

/** A key in a stream's metadata, which a backup includes. */
const DEPLOYMENT = 'rivulet.deployment';

export interface NatsLogOptions {
  /** An existing manager of this connection. */
  readonly manager?: JetStreamManager;
  /** Prefix for the names of its readers' consumers, which the server retains for minutes, also after a crash. Without `_`. */
  readonly process?: string;
}

export async function openNatsLog(
  connection: NatsConnection,
  { manager: known, process }: NatsLogOptions = {},
): Promise<Log> {
  const manager = known ?? (await openManager(connection));
  return new NatsLog(connection, manager, jetstream(connection, { timeout: REQUEST_TIMEOUT_MS }), process);
}

interface PublishReply {
  readonly seq?: number;
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

class NatsLog implements Log {
  readonly payloadBytesMax: number;
  private readonly requests: Requests;

  constructor(
    private readonly connection: NatsConnection,
    private readonly manager: JetStreamManager,
    private readonly client: JetStreamClient,
    private readonly process: string | undefined,
  ) {
    this.payloadBytesMax = (connection.info?.max_payload ?? 1024 * 1024) - HEADER_BYTES_MAX;
    this.requests = new Requests(connection, REQUEST_TIMEOUT_MS);
  }

  ensureStream(spec: StreamSpec): Promise<void> {
    return ensureStream(this.manager, {
      name: spec.name,
      subjects: [...spec.subjects],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: spec.dropsOldest ? DiscardPolicy.Old : DiscardPolicy.New,
      max_bytes: spec.bytesMax,
      max_age: nanos(spec.ageMaxMs ?? 0),
      num_replicas: spec.replicas,
      max_msg_size: spec.messageBytesMax ?? -1,
      ...(spec.deployment === undefined ? {} : { metadata: { [DEPLOYMENT]: spec.deployment } }),
      // An update leaves unnamed fields as they are: a transform is removed by an explicit empty value.
      subject_transform: (spec.transform === undefined
        ? undefined
        : { src: spec.transform.from, dest: spec.transform.to }) as never,
    });
  }

  async info(stream: string): Promise<StreamInfo> {
    try {
      const { state, created, config } = await this.requests.run(() => this.manager.streams.info(stream));
      const { first_seq: firstSequence, last_seq: lastSequence, bytes } = state;
      const { [DEPLOYMENT]: deployment } = config.metadata ?? {};
      return {
        ...{ firstSequence, lastSequence, bytes, ...identityOf(config, created) },
        ...(deployment === undefined ? {} : { deployment }),
      };
    } catch (error) {
      throw explained(error, stream);
    }
  }

  async read(stream: string, options: Parameters<Log['read']>[1]): Promise<Reader> {
    const { identity } = await this.info(stream);
    // Publishers' messages are many and small, frames few and large. (Pulls bounded by bytes are no alternative: when the next message does not fit,
    // the server answers with an error, and the client then waits for a missed heartbeat.)
    const publishers = options.filters.length > 1;
    const open = async (from: number): Promise<Feed> => {
      try {
        const feed = async (): Promise<Feed> => {
          const consumer = await this.client.consumers.get(stream, {
            filter_subjects: [...options.filters],
            deliver_policy: DeliverPolicy.StartSequence,
            opt_start_seq: Math.max(1, from),
            ...(this.process === undefined ? {} : { name_prefix: readerPrefix(this.process) }),
          });
          const messages = await consumer.consume({
            ...(publishers
              ? { max_messages: PREFETCH_MESSAGES }
              : { max_messages: options.framesAhead ?? PREFETCH_FRAMES, threshold_messages: REFILL_FRAMES }),
            // After two missed heartbeats the client recreates its consumer: this is the wait after a restart of the server.
            idle_heartbeat: HEARTBEAT_MS,
          });
          return { messages, info: () => consumer.info(), discard: () => consumer.delete() };
        };
        return await this.requests.run(feed, (late) => void discarded(late));
      } catch (error) {
        throw explained(error, stream);
      }
    };
    const reader = new NatsReader(
      {
        stream,
        queueMax: publishers ? QUEUE_MESSAGES : QUEUE_FRAMES,
        isConnected: () => this.requests.connected,
        open: async (from) => {
          await this.mustGoOn(stream, identity, reader.last);
          const feed = await open(from);
          void renewWhenLost(feed.messages, reader);
          return feed;
        },
      },
      await open(options.from),
      options.from,
    );
    void renewWhenLost(reader.messages, reader);
    return reader;
  }

  /** Transient LOG_READ when it is another stream, or no longer has the message read last; LOG_UNREACHABLE when that cannot be checked now. */
  private async mustGoOn(stream: string, identity: string, last: LastRead | undefined): Promise<void> {
    const info = await this.info(stream).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw asError(error);
    });
    const { sequence, storedAtMs } = last ?? { sequence: 0, storedAtMs: 0 };
    // All messages read may also be in a stream restored from this one, which nevertheless diverges afterwards: origins do not count here.
    mustGoOn(judgeStream('its reader', stream, { sequence, stream: identity }, info && { ...info, origins: [] }));
    if (last === undefined) return;
    // A trimmed message proves nothing.
    const stored = await this.requests
      .run(() => this.manager.streams.getMessage(stream, { seq: sequence }))
      .catch((error: unknown) => {
        throw explained(error, stream);
      });
    if (stored === null) return;
    mustGoOn(
      judgeLastRead('its reader', stream, { sequence, storedAtMs }, { storedAtMs: Date.parse(stored.timestamp) }),
    );
  }

  async publish(
    subject: string,
    data: Uint8Array,
    options: { readonly expected?: number; readonly headers?: Readonly<Record<string, string>> } = {},
  ): Promise<number> {
    if (data.length > this.payloadBytesMax) {
      throw fatal(
        'LOG_PAYLOAD',
        `${subject}: a message of ${data.length} bytes, the server takes ${this.payloadBytesMax}`,
        {
          hint: 'raise max_payload of the NATS server',
        },
      );
    }
    const answer = await this.requests.request(subject, data, headersOf(options));
    const reply = answer.json<PublishReply>();
    if (reply.error !== undefined) throw refused(subject, reply.error);
    if (reply.seq === undefined)
      throw transient('LOG_UNKNOWN', `the answer to a publish on ${subject} holds no sequence`);
    return reply.seq;
  }

  async last(stream: string, subject: string): Promise<LogMessage | undefined> {
    try {
      // `streams.getMessage` reads from the leader, unlike a direct get.
      const stored = await this.requests.run(() => this.manager.streams.getMessage(stream, { last_by_subj: subject }));
      if (stored === null) return undefined;
      const { seq, data, timestamp, header } = stored;
      return {
        sequence: seq,
        subject: stored.subject,
        storedAtMs: Date.parse(timestamp),
        data,
        headers: plainHeaders(header),
        ...expectedIn(header),
      };
    } catch (error) {
      throw explained(error, stream);
    }
  }

  async purge(stream: string, subject: string, below: number): Promise<void> {
    try {
      await this.requests.run(() => this.manager.streams.purge(stream, { filter: subject, seq: below }));
    } catch (error) {
      throw explained(error, stream);
    }
  }

  async close(): Promise<void> {
    this.requests.close();
    await this.connection.close();
  }
}

/**
 * The client's own recovery would continue in whatever stream the server has by now, although its messages may be others. The reader is notified
 * before that delivers anything.
 */
async function renewWhenLost(messages: ConsumerMessages, reader: NatsReader): Promise<void> {
  for await (const { type } of messages.status()) {
    if (type === 'ordered_consumer_recreated' || type === 'stream_not_found') reader.renew();
  }
}

/** Transient: the actor then restarts, and checks the log against its state. */
function mustGoOn(verdict: Verdict): void {
  if (!verdict.fits) throw transient('LOG_READ', messageOf(verdict));
}

function headersOf(options: { expected?: number; headers?: Readonly<Record<string, string>> }): MsgHdrs | undefined {
  if (options.expected === undefined && options.headers === undefined) return undefined;
  const headers = newHeaders();
  if (options.expected !== undefined) headers.set(EXPECTED_LAST, String(options.expected));
  for (const [key, value] of Object.entries(options.headers ?? {})) headers.set(key, value);
  return headers;
}

function refused(subject: string, error: { err_code?: number; description?: string }): Error {
  const code = error.err_code ?? 0;
  const description = `${subject}: ${error.description ?? 'refused'} (${code})`;
  if (WRONG_LAST_SEQUENCE.has(code)) return transient('FENCED', description);
  if (code === MESSAGE_SIZE) return poison('LOG_MESSAGE_SIZE', description);
  if (LIMITS_REACHED.has(code)) return transient('LOG_FULL', description);
  return transient('LOG_UNREACHABLE', description);
}
