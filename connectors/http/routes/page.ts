/** Static files: GET /ui/ (the page) and /docs/ (the API's page). Open to all, so that the page can prompt for a token; its data needs the token. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { notFound } from '../server/problem.js';
import type { StaticFiles } from '../server/static-files.js';
import { varyBy } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

/** Swagger UI writes style attributes; scripts are files, as everywhere. */
export const DOCS_POLICY = { 'style-src': "'self' 'unsafe-inline'" };

/** `prefix`: `/ui`. For files with relative references, `/ui` redirects to `/ui/`. */
export function fileRoutes(
  app: App,
  prefix: string,
  files: StaticFiles,
  { isRelative }: { isRelative: boolean },
): void {
  const options = { config: { isPage: true }, schema: { hide: true } } as const;
  const answer = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split('?', 1)[0]!;
    if (path === prefix && isRelative) return reply.redirect(`.${prefix}/`, 308);
    const { status, headers: all, body } = files(path.slice(prefix.length), request.raw);
    if (status === 404) throw notFound('NOT_FOUND', `there is nothing at ${path}: see ${prefix}/`);
    const { vary, ...headers } = all;
    if (vary !== undefined) varyBy(reply, vary);
    return reply.code(status).headers(headers).send(body);
  };
  // With and without the slash; the wildcard of the other route needs at least one character.
  app.get(prefix, options, answer);
  app.get(`${prefix}/*`, options, answer);
}
