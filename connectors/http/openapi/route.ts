/** GET /openapi.json: generated from the registered routes at the first request. */
import { z } from 'zod';
import { type DocumentedRoute, type DocumentFacts, openApiDocument } from './document.js';
import { unchanged } from '../routes/fields.js';
import { etagOf, sendJson } from '../server/validators.js';
import type { App } from '../server/zod-provider.js';

export const DOCUMENT = '/openapi.json';

/** Must be registered before all other routes: it is notified only of later ones. */
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
}
