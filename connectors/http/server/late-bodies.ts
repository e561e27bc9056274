/**
 * Responses to clients that are still sending, for example a body that is too long. If the connection were closed with unread bytes, the system would
 * reset it, and a client that writes everything before it reads would lose the response. So the response is sent, but its end waits until the body
 * has arrived, which is discarded: up to BYTES_MAX and, enforced by Node, for the time that a request may take.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

const BYTES_MAX = 64 * 2 ** 20;

export class LateBodies {
  private readonly waiting = new Map<ServerResponse, () => void>();
  private isClosing = false;

  /** The payload to send for a complete response. */
  answer(reply: FastifyReply, payload: unknown): unknown {
    const { raw } = reply.request;
    const { 'content-length': length, 'transfer-encoding': chunks } = raw.headers;
    if ((length === undefined && chunks === undefined) || raw.complete || this.isClosing) return payload;
    if (typeof payload !== 'string' && !Buffer.isBuffer(payload)) return payload;
    const answer = new Readable({ read: () => undefined });
    const end = (): void => void (answer.destroyed || answer.push(null));
    this.waiting.set(reply.raw, end);
    answer.once('close', () => this.waiting.delete(reply.raw)).push(payload);
    let bytes = 0;
    raw.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > BYTES_MAX) end();
    });
    raw.once('end', end).resume();
    reply.header('content-length', Buffer.byteLength(payload));
    return answer;
  }

  /** No more of the body arrives; false: no response waits for it. */
  end(response: ServerResponse): boolean {
    const end = this.waiting.get(response);
    end?.();
    return end !== undefined;
  }

  /** For a stop, which waits for none of them. */
  close(): void {
    this.isClosing = true;
    for (const end of this.waiting.values()) end();
  }
}
