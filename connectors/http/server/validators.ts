/** JSON answers with ETags: the same text as long as what is answered is the same, so that who has it need not be sent it again. */
import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** Of a body. Weak: what stands around it (as_of) may differ. */
export const etagOf = (body: string | Buffer): string => `W/"${hash('sha1', body, 'base64url')}"`;

/** Whether the asker has it; the answer is then 304, without a body. */
function isKnown({ raw }: FastifyRequest, etag: string): boolean {
  const given = raw.headers['if-none-match'];
  return given !== undefined && isKnownTag(given, etag);
}

/** As RFC 9110 compares the tags of If-None-Match: weakly. */
export const isKnownTag = (given: string, etag: string): boolean =>
  given.split(',').some((one) => one.trim() === '*' || strong(one.trim()) === strong(etag));

const strong = (tag: string): string => tag.replace(/^W\//, '');

/** Says that the answer depends on this header too: on that of the origin it may depend already (CORS). */
export function varyBy(reply: FastifyReply, header: string): void {
  const before = reply.getHeader('vary');
  reply.header('vary', before === undefined ? header : `${[before].flat().join(', ')}, ${header}`);
}

/** Sends JSON text with its ETag, or says that the asker has it. What is asked for again is looked at again: it changes by the second. */
export function sendJson(
  request: FastifyRequest,
  reply: FastifyReply,
  body: string | Buffer,
  etag = etagOf(body),
): void {
  reply.header('etag', etag).header('cache-control', 'no-cache');
  if (isKnown(request, etag)) void reply.code(304).send();
  else void reply.header('content-type', JSON_TYPE).send(body);
}
