/**
 * Answers to clients that are still sending, as to a body that is too long. Were the connection cut with bytes unread, the system would reset it,
 * and who writes all before it reads would lose the answer. So all of the answer is sent, but its end waits until the body has come, which is
 * thrown away: up to so many bytes, and, as Node sees to it, for as long as a request may take.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';

const BYTES_MAX = 64 * 2 ** 20;

export class LateBodies {
  private readonly waiting = new Map<ServerResponse, () => void>();
  private isClosing = false;

  /** What to send for an answer that is whole. */
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

  /** No more of its body comes; false: nothing waits for that. */
  end(response: ServerResponse): boolean {
    const end = this.waiting.get(response);
    end?.();
    return end !== undefined;
  }

  /** A stop waits for none of them. */
  close(): void {
    this.isClosing = true;
    for (const end of this.waiting.values()) end();
  }
}
