/** JSON responses with ETags: the text stays the same while the content does, so that it need not be sent again. */
import { hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';

export const JSON_TYPE = 'application/json; charset=utf-8';

/** For a body. Weak: the fields around it (as_of) may differ. */
export const etagOf = (body: string | Buffer): string => `W/"${hash('sha1', body, 'base64url')}"`;

/** Whether the client has it; the response is then 304, without a body. */
function isKnown({ raw }: FastifyRequest, etag: string): boolean {
  const given = raw.headers['if-none-match'];
  return given !== undefined && isKnownTag(given, etag);
}

/** RFC 9110 compares the tags of If-None-Match weakly. */
export const isKnownTag = (given: string, etag: string): boolean =>
  given.split(',').some((one) => one.trim() === '*' || strong(one.trim()) === strong(etag));

const strong = (tag: string): string => tag.replace(/^W\//, '');

/** Adds a header to Vary, which CORS may have set already. */
export function varyBy(reply: FastifyReply, header: string): void {
  const before = reply.getHeader('vary');
  reply.header('vary', before === undefined ? header : `${[before].flat().join(', ')}, ${header}`);
}

/** Sends JSON text with its ETag, or 304. Caches must revalidate: the content changes by the second. */
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
