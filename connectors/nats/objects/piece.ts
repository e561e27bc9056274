/** Reads one message from a stream's leader, the next of its subject: fast for large messages, unlike the client's own base64 decoder. */
import type { NatsConnection } from '@nats-io/transport-node';
import { transient } from '../../../runtime/contract/errors.js';
import { REQUEST_TIMEOUT_MS } from '../log/stream-manager.js';

const NO_MESSAGE = 10037;

export interface Piece {
  readonly sequence: number;
  readonly data: Uint8Array;
}

interface Answer {
  readonly message?: { readonly seq: number; readonly data?: string };
  readonly error?: { readonly err_code?: number; readonly description?: string };
}

/** The first message of the subject with sequence ≥ `from`. Transient LOG_UNREACHABLE. */
export async function readPiece(
  connection: NatsConnection,
  stream: string,
  subject: string,
  from: number,
): Promise<Piece | undefined> {
  const away = (cause: unknown): Error =>
    transient('LOG_UNREACHABLE', `JetStream cannot serve ${stream} now`, { cause });
  const answer = await connection
    .request(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ next_by_subj: subject, seq: from }), {
      timeout: REQUEST_TIMEOUT_MS,
    })
    .catch((error: unknown) => {
      throw away(error);
    });
  const { message, error } = answer.json<Answer>();
  if (error?.err_code === NO_MESSAGE) return undefined;
  if (message === undefined) throw away(new Error(error?.description ?? 'an answer without a message'));
  return { sequence: message.seq, data: Buffer.from(message.data ?? '', 'base64') };
}
