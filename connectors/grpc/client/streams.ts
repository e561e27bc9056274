/** Server streams as async iterators that reconnect. */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type CallOptions,
  type Client,
  type Metadata,
  type MethodDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { CallError } from './call-error.js';

export interface StreamOptions {
  /** For the stream including its reconnects, from now; none by default. */
  readonly deadlineMs?: number;
  /** Ends the stream; the iterator then throws a CallError with status CANCELLED. */
  readonly signal?: AbortSignal;
  /**
   * Unless false: after the first message, a stream that ends because the node stops or the connection breaks is reopened, without a limit of
   * time, with growing pauses.
   */
  readonly reconnect?: boolean;
  /** The stream has ended, and is reopened after this time. */
  readonly onInterrupted?: (error: CallError, retryMs: number) => void;
}

const RETRY_MS = 250;
const RETRY_MS_MAX = 10_000;

/** The method that a stream calls. */
export interface Target<Q, A> {
  readonly client: Client;
  readonly address: string;
  readonly method: MethodDefinition<Q, A>;
  /** The metadata of a new call. */
  readonly metadata: () => Metadata;
  /** Aborts when the client is closed, which ends all its streams. */
  readonly closing: AbortSignal;
}

/** The messages of a stream and of those that resume it; `request` is called for each. */
export async function* followed<Q, A>(
  target: Target<Q, A>,
  request: () => Q,
  { deadlineMs, signal, reconnect = true, onInterrupted }: StreamOptions,
): AsyncGenerator<A, void, undefined> {
  const call: CallOptions = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
  const ends = [target.closing, ...(signal === undefined ? [] : [signal])];
  let hasBegun = false;
  for (let retryMs = RETRY_MS; ; retryMs = Math.min(RETRY_MS_MAX, retryMs * 2)) {
    try {
      for await (const message of messages(target, request(), call, ends)) {
        hasBegun = true;
        retryMs = RETRY_MS;
        yield message;
      }
      return;
    } catch (error) {
      if (!reconnect || !hasBegun || ends.some(({ aborted }) => aborted) || !comesBack(error)) throw error;
      // Jitter: clients that lost the same node do not all reconnect at once.
      const pauseMs = Math.max(retryMs * (0.5 + Math.random()), error.retryAfterMs ?? 0);
      onInterrupted?.(error, pauseMs);
      await sleep(pauseMs, undefined, { signal: AbortSignal.any(ends) }).catch(() => {
        throw new CallError({ code: status.CANCELLED, details: 'cancelled while the node was away' }, target.address);
      });
    }
  }
}

const AWAY = new Set(['UNAVAILABLE', 'CANCELLED', 'ABORTED']);

const comesBack = (error: unknown): error is CallError =>
  error instanceof CallError && (AWAY.has(error.status) || error.retryAfterMs !== undefined);

/** Reads no faster than the consumer: a slow consumer slows the node's stream instead of filling this process. */
async function* messages<Q, A>(
  { client, address, method, metadata }: Target<Q, A>,
  request: Q,
  options: CallOptions,
  ends: readonly AbortSignal[],
): AsyncGenerator<A, void, undefined> {
  const { path, requestSerialize, responseDeserialize } = method;
  const call = client.makeServerStreamRequest(
    path,
    requestSerialize,
    responseDeserialize,
    request,
    metadata(),
    options,
  );
  const cancel = (): void => call.cancel();
  // The loop throws errors while it runs; errors caused by the cancellation after it are ignored.
  call.on('error', () => undefined);
  for (const signal of ends) signal.addEventListener('abort', cancel, { once: true });
  if (ends.some(({ aborted }) => aborted)) cancel();
  try {
    for await (const message of call) yield message as A;
  } catch (error) {
    throw new CallError(error as ServiceError, address);
  } finally {
    for (const signal of ends) signal.removeEventListener('abort', cancel);
    cancel();
  }
}
