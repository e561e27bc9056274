/**
 * GET /openapi.json and, for people, GET /docs: Swagger UI from its npm package, nothing from elsewhere.
 *
 * Its files are read when somebody first opens the page: few do, and they are large. Swagger UI writes style attributes, so that its page alone
 * has `style-src 'unsafe-inline'`; scripts are files here as everywhere.
 */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { type DocumentedRoute, type DocumentFacts, openApiDocument } from './document.js';
import { unchanged } from './fields.js';
import { type StaticAnswer, type StaticFiles, staticFiles } from './static-files.js';
import { notFound } from './problem.js';
import { etagOf, sendJson } from './validators.js';
import type { App } from './zod-provider.js';

export const DOCUMENT = '/openapi.json';

const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
const compress = promisify(gzip);

const INDEX = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Rivulet API</title>
    <link rel="icon" href="/docs/favicon-32x32.png" />
    <link rel="stylesheet" href="/docs/swagger-ui.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="/docs/swagger-ui-bundle.js"></script>
    <script src="/docs/start.js"></script>
  </body>
</html>
`;

const START = `window.ui = SwaggerUIBundle({
  url: '${DOCUMENT}',
  dom_id: '#swagger-ui',
  deepLinking: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
  // No document of ours leaves this machine to be looked at elsewhere.
  validatorUrl: null,
});
`;

/** Before all other routes: it hears of those that come after it. */
export function documentRoutes(app: App, facts: DocumentFacts): void {
  const routes: DocumentedRoute[] = [];
  app.addHook('onRoute', (route) => void routes.push(route as DocumentedRoute));

  let made: { readonly body: string; readonly etag: string } | undefined;
  app.get(
    DOCUMENT,
    {
      config: { isPage: true },
      schema: {
        ...{
          tags: ['About'],
          summary: 'This document (OpenAPI 3.1)',
          description: 'A page that shows it is at /docs.',
        },
        response: { 200: z.looseObject({ openapi: z.string() }).meta({ description: 'OpenAPI 3.1' }), 304: unchanged },
      },
    },
    (request, reply) => {
      if (made === undefined) {
        const body = JSON.stringify(openApiDocument(routes, facts));
        made = { body, etag: etagOf(body) };
      }
      sendJson(request, reply, made.body, made.etag);
    },
  );

  const page = new CompressedFiles(() => {
    const folder = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
    const policy = { 'style-src': "'self' 'unsafe-inline'" };
    return staticFiles(folder, { names: FILES, extra: { 'index.html': INDEX, 'start.js': START }, policy });
  });
  const answer = async (path: string, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const { status, headers, body } = await page.answer(path, request);
    if (status === 404) throw notFound('NOT_FOUND', `there is nothing at ${request.url.split('?', 1)[0]}: see /docs`);
    return reply.code(status).headers(headers).send(body);
  };
  const options = { config: { isPage: true }, schema: { hide: true } } as const;
  app.get('/docs', options, (request, reply) => answer('', request, reply));
  app.get('/docs/:file', options, (request, reply) =>
    answer((request.params as { file: string }).file, request, reply),
  );
}

/** Files that are compressed when they are first asked for, and kept so. */
class CompressedFiles {
  private files: StaticFiles | undefined;
  private readonly compressed = new Map<string, Promise<Buffer>>();

  constructor(private readonly load: () => StaticFiles) {}

  async answer(path: string, { headers: asked }: FastifyRequest): Promise<StaticAnswer> {
    this.files ??= this.load();
    const answer = this.files(path, { headers: asked });
    const { etag } = answer.headers;
    if (etag === undefined) return answer;
    // Weak: it is the same file, compressed or not.
    const headers = { ...answer.headers, etag: `W/${etag}`, vary: 'accept-encoding' };
    if (answer.body === undefined || !takesGzip(asked['accept-encoding'])) return { ...answer, headers };
    let compressing = this.compressed.get(path);
    if (compressing === undefined) this.compressed.set(path, (compressing = compress(answer.body)));
    const body = await compressing;
    return {
      status: answer.status,
      headers: { ...headers, 'content-encoding': 'gzip', 'content-length': String(body.length) },
      body,
    };
  }
}

/** A browser does; who says `gzip;q=0` does not. */
const takesGzip = (accepted: string | string[] | undefined): boolean =>
  /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/.test([accepted ?? ''].flat().join(','));
