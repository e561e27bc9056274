/** Messages between a thread and the one that started it. */
import type { PipelineOptions } from '../../actors/topology.js';
import type { NatsOptions } from '../../connectors/nats/connection/connect.js';
import type { ActorTuning } from '../actor/options.js';
import type { ErrorCode } from '../contract/error-codes.js';
import { asError, RivuletError } from '../contract/errors.js';
import type { ActorStatus } from '../telemetry/status.js';
import type { SupervisedStatus } from '../supervision/supervisor.js';
import type { ThreadVitals } from '../telemetry/thread-vitals.js';

/** `workerData` of a thread that waits for its assignment. */
export const WAITS_FOR_DATA = 'rivulet: waits for its data';

export interface HostData {
  readonly name: string;
  readonly nats: NatsOptions;
  /** From the node's identity; absent: a bounded job. */
  readonly process?: string;
  readonly pipeline: PipelineOptions;
  /** Owned from the start, without leases; all others are opened when the cluster assigns them. */
  readonly own: readonly string[];
  /** Absent: no copies. */
  readonly copying?: { readonly everyMs: number; readonly node: string; readonly replicas: number };
  readonly dataDir: string;
  readonly tuning: ActorTuning;
  readonly tickEveryMs: number;
  readonly logLevel: string;
}

/** The first messages to a thread: stores to open while it waits; then its assignment. */
export type WorkerStart =
  | ({ readonly kind: 'open'; readonly thread: number; readonly threads: number } & Pick<
      HostData,
      'name' | 'dataDir' | 'logLevel' | 'pipeline'
    >)
  | { readonly kind: 'start'; readonly data: HostData };

export type WorkerMessage =
  | { readonly kind: 'started' }
  | {
      readonly kind: 'status';
      readonly statuses: readonly ActorStatus[];
      readonly shards: readonly SupervisedStatus[];
      readonly vitals: ThreadVitals;
    }
  | { readonly kind: 'done'; readonly call: number; readonly error?: PlainError }
  | { readonly kind: 'fatal'; readonly error: PlainError }
  /** Steps that did not finish in time, as text. */
  | { readonly kind: 'stopped'; readonly unfinished: readonly string[] };

/** Requests to a host; each is answered with `done`. */
export type HostRequest =
  | { readonly action: 'check' | 'follow' | 'own'; readonly shard: string }
  | { readonly action: 'close'; readonly shard: string; readonly copy: boolean }
  | { readonly action: 'hold'; readonly held: boolean };

export type WorkerCommand =
  | { readonly kind: 'stop'; readonly deadlineMs: number }
  | { readonly kind: 'status' }
  | { readonly kind: 'call'; readonly call: number; readonly request: HostRequest };

/** An error that can cross a thread boundary. */
export interface PlainError {
  readonly reaction: RivuletError['reaction'];
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
  /** The cause, as text. */
  readonly cause: string | undefined;
  readonly stack: string | undefined;
}

export function plainError(error: Error): PlainError {
  const own = error instanceof RivuletError ? error : undefined;
  return {
    reaction: own?.reaction ?? 'bug',
    code: own?.code ?? 'BUG',
    message: error.message,
    hint: own?.hint,
    cause: error.cause === undefined ? undefined : asError(error.cause).message,
    stack: error.stack,
  };
}

export const revived = ({ reaction, code, message, hint, cause, stack }: PlainError): RivuletError =>
  Object.assign(
    new RivuletError(reaction, code, message, {
      ...(hint === undefined ? {} : { hint }),
      ...(cause === undefined ? {} : { cause: new Error(cause) }),
    }),
    { stack },
  );
