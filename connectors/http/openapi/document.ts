/**
 * Generates the OpenAPI 3.1 document from the routes' own declarations, so that it cannot differ from them.
 *
 * Schemas with an id (`.meta({ id })`) become components. A route declares the statuses specific to it, each with its response; the statuses that
 * any such route can have (an invalid field, a missing token, too many requests…) are added here.
 */
import { STATUS_CODES } from 'node:http';
import type { FastifySchema } from 'fastify';
import { z } from 'zod';
import { PROBLEM_TYPE, problemSchema } from '../server/problem.js';
import { PROBLEMS, TAGS, ABOUT } from './words.js';

declare module 'fastify' {
  interface FastifySchema {
    readonly tags?: readonly string[];
    readonly summary?: string;
    readonly description?: string;
    /** Not in the document: for browsers. */
    readonly hide?: boolean;
    /** Content types of the body; default: JSON. */
    readonly consumes?: readonly string[];
    /** Content type of the 200 response; default: JSON. */
    readonly produces?: readonly string[];
    /** For a stream of Server-Sent Events: the schema of each event's data, by event name. */
    readonly events?: Readonly<Record<string, z.ZodType>>;
    readonly example?: string;
  }
}

/** As Fastify reports it. */
export interface DocumentedRoute {
  readonly method: string | readonly string[];
  /** `/reco/:user_id` */
  readonly url: string;
  readonly schema?: FastifySchema | undefined;
  readonly config?: { readonly isOpen?: boolean; readonly isPage?: boolean } | undefined;
}

export interface DocumentFacts {
  readonly version: string;
  readonly asksForTokens: boolean;
  readonly asksForCertificates: boolean;
  /** It then accepts only the host names of loopback and of the allow-list (GATE-4, gate.ts). */
  readonly isLoopback: boolean;
}

type Json = Record<string, unknown>;

const JSON_BODY = 'application/json';
const REQUEST_ID = { 'x-request-id': { $ref: '#/components/headers/RequestId' } };

export function openApiDocument(routes: readonly DocumentedRoute[], facts: DocumentFacts): Json {
  return new Document(facts).of(routes.filter(isDocumented));
}

/** HEAD is available wherever GET is. */
export const isDocumented = ({ method, schema }: DocumentedRoute): boolean =>
  method !== 'HEAD' && schema !== undefined && schema.hide !== true;

/** `/reco/{user_id}` */
export const templateOf = (url: string): string => url.replaceAll(/:(\w+)/g, '{$1}');

const hasTag = ({ schema }: DocumentedRoute): boolean => Object.hasOwn(schema?.response ?? {}, 304);

class Document {
  private readonly schemas: Json = {};
  private readonly problems = new Set<number>();

  constructor(private readonly facts: DocumentFacts) {}

  of(routes: readonly DocumentedRoute[]): Json {
    const paths: Record<string, Json> = {};
    for (const route of routes) {
      for (const method of [route.method].flat()) {
        (paths[templateOf(route.url)] ??= {})[method.toLowerCase()] = this.operation(method, route);
      }
    }
    const tags = [...new Set(routes.flatMap(({ schema }) => schema?.tags ?? []))];
    const security = this.security();
    return {
      openapi: '3.1.0',
      info: {
        ...{ title: 'Rivulet', version: this.facts.version, description: ABOUT },
        license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'This node' }],
      tags: tags.map((name) => ({ name, ...(TAGS[name] && { description: TAGS[name] }) })),
      ...(security.length > 0 && { security }),
      paths,
      components: this.components(),
    };
  }

  private operation(method: string, route: DocumentedRoute): Json {
    const { tags, summary, description, params, querystring, headers, body, consumes } = route.schema!;
    const parameters = [
      ...this.parameters('path', params),
      ...this.parameters('query', querystring),
      ...this.parameters('header', headers),
      ...(hasTag(route) ? [{ $ref: '#/components/parameters/IfNoneMatch' }] : []),
    ];
    const content = body === undefined ? undefined : this.schemaOf(body as z.ZodType, 'input');
    const isRequired = body !== undefined && !(body as z.ZodType).safeParse(undefined).success;
    const { isOpen = false, isPage = false } = route.config ?? {};
    return {
      operationId: operationId(method, route.url),
      ...{ tags, summary, description },
      ...(parameters.length > 0 && { parameters }),
      ...(content && {
        requestBody: {
          required: isRequired,
          content: Object.fromEntries((consumes ?? [JSON_BODY]).map((type) => [type, bodyOf(type, content)])),
        },
      }),
      responses: this.responses(method, route),
      ...((isOpen || isPage) && { security: isOpen ? [] : this.security(true) }),
    };
  }

  private parameters(place: 'path' | 'query' | 'header', schema: unknown): Json[] {
    if (schema === undefined) return [];
    const { properties = {}, required = [] } = this.schemaOf(schema as z.ZodType, 'input') as {
      properties?: Record<string, Json>;
      required?: string[];
    };
    return Object.entries(properties).map(([name, { description, ...rest }]) => ({
      ...{ name, in: place, description },
      required: place === 'path' || required.includes(name),
      schema: rest,
    }));
  }

  private responses(method: string, route: DocumentedRoute): Json {
    const { response, produces, events, example } = route.schema!;
    const answers: Record<number, Json> = {};
    for (const [status, schema] of Object.entries((response ?? {}) as Record<string, z.ZodType>)) {
      // Ranges (`4XX`) are Fastify's: a reader needs single statuses.
      if (/^\d{3}$/.test(status)) answers[Number(status)] = this.answer(Number(status), schema, produces, route);
    }
    if (produces !== undefined && answers[200] === undefined) {
      const data = events && {
        'x-event-data': Object.fromEntries(Object.entries(events).map(([name, one]) => [name, this.schemaOf(one)])),
      };
      const media = { schema: { type: 'string', ...data }, ...(example !== undefined && { example }) };
      answers[200] = { description: 'OK', headers: REQUEST_ID, content: { [produces[0]!]: media } };
    }
    for (const status of this.frameStatuses(method, route)) answers[status] ??= this.problem(status);
    return answers;
  }

  private answer(status: number, schema: z.ZodType, produces: readonly string[] = [], route: DocumentedRoute): Json {
    if (schema === problemSchema) return this.problem(status);
    const { description = STATUS_CODES[status] ?? '' } = z.globalRegistry.get(schema) ?? {};
    const isTagged = status === 304 || (status === 200 && hasTag(route));
    const headers = { ...REQUEST_ID, ...(isTagged && { etag: { $ref: '#/components/headers/ETag' } }) };
    if (schema instanceof z.ZodUndefined) {
      const location = status === 303 ? { location: { schema: { type: 'string' } } } : {};
      return { description, headers: { ...headers, ...location } };
    }
    return { description, headers, content: { [produces[0] ?? JSON_BODY]: { schema: this.schemaOf(schema) } } };
  }

  /** Statuses that the app and the gate (app.ts, gate.ts) can answer for any such route. */
  private frameStatuses(method: string, { config }: DocumentedRoute): number[] {
    const { isOpen = false, isPage = false } = config ?? {};
    const { asksForTokens, asksForCertificates, isLoopback } = this.facts;
    const isAsked = asksForCertificates || (asksForTokens && !isPage);
    const isSent = method !== 'GET';
    return [
      // Required of any HTTP request.
      ...[400, 415, 417, 431],
      ...(isAsked && !isOpen ? [401] : []),
      ...(isSent || (isLoopback && !isOpen) ? [403] : []),
      ...(isSent ? [408, 413] : []),
      ...(isOpen ? [] : [429, 503]),
      500,
    ];
  }

  private problem(status: number): Json {
    this.problems.add(status);
    return { $ref: `#/components/responses/Problem${status}` };
  }

  /** The security requirements, each with all its parts. */
  private security(isPage = false): Json[] {
    const { asksForTokens, asksForCertificates } = this.facts;
    const asked = { ...(asksForTokens && !isPage && { token: [] }), ...(asksForCertificates && { certificate: [] }) };
    return Object.keys(asked).length > 0 ? [asked] : [];
  }

  private components(): Json {
    const { asksForTokens, asksForCertificates } = this.facts;
    const token = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' };
    const problem = this.schemaOf(problemSchema);
    const responses = [...this.problems].sort().map((status) => [
      `Problem${status}`,
      {
        description: PROBLEMS[status] ?? STATUS_CODES[status] ?? '',
        headers: {
          ...REQUEST_ID,
          ...((status === 429 || status === 503) && { 'retry-after': { $ref: '#/components/headers/RetryAfter' } }),
          ...(status === 401 && { 'www-authenticate': { $ref: '#/components/headers/WwwAuthenticate' } }),
        },
        content: { [PROBLEM_TYPE]: { schema: problem } },
      },
    ]);
    return {
      schemas: this.schemas,
      responses: Object.fromEntries(responses) as Json,
      parameters: { IfNoneMatch: IF_NONE_MATCH },
      headers: HEADERS,
      securitySchemes: {
        ...(asksForTokens && { token }),
        ...(asksForCertificates && { certificate: { type: 'mutualTLS' } }),
      },
    };
  }

  /** A reference when the schema has an id. */
  private schemaOf(schema: z.ZodType, io: 'input' | 'output' = 'output'): Json {
    const made = z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: 'any', override });
    const { it, defs } = inComponents({ it: made.properties!['it'] as Json, defs: made.$defs ?? {} });
    Object.assign(this.schemas, defs);
    return it;
  }
}

const inComponents = <T>(json: T): T =>
  JSON.parse(JSON.stringify(json).replaceAll('"#/$defs/', '"#/components/schemas/')) as T;

/** Query parameters are texts; the document shows the type that they are converted to. Objects in responses may get more fields later. */
function override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Json }): void {
  const { default: byDefault } = (z.globalRegistry.get(zodSchema) ?? {}) as Json;
  if (byDefault !== undefined) jsonSchema['default'] = byDefault;
  if (jsonSchema['type'] === 'boolean') delete jsonSchema['enum'];
  if (jsonSchema['type'] === 'integer') {
    delete jsonSchema['pattern'];
    if (jsonSchema['minimum'] === Number.MIN_SAFE_INTEGER) delete jsonSchema['minimum'];
    if (jsonSchema['maximum'] === Number.MAX_SAFE_INTEGER) delete jsonSchema['maximum'];
  }
  const isStrict = zodSchema instanceof z.ZodObject && zodSchema.def.catchall instanceof z.ZodNever;
  if (!isStrict && jsonSchema['additionalProperties'] === false) delete jsonSchema['additionalProperties'];
}

function bodyOf(type: string, schema: Json): Json {
  if (type === JSON_BODY) return { schema };
  if (type.endsWith('protobuf')) return { schema: { description: 'Bytes of a message of the .proto files' } };
  return { schema: { type: 'string', description: 'One JSON value on each line' } };
}

/** `getRecoByUserId` */
const operationId = (method: string, url: string): string =>
  method.toLowerCase() +
  (url
    .split(/[/.]/)
    .filter(Boolean)
    .map((part) => (part.startsWith(':') ? `By_${part.slice(1)}` : part))
    .map((part) => part.replaceAll(/(?:^|[-_])(\w)/g, (_, first: string) => first.toUpperCase()))
    .join('') || 'Root');

const IF_NONE_MATCH = {
  ...{ name: 'If-None-Match', in: 'header', required: false, schema: { type: 'string' } },
  description: 'The ETag of the version that the client has',
};

const HEADERS = {
  RequestId: { description: 'Id of the request, also in logs and problems', schema: { type: 'string' } },
  ETag: { description: 'For If-None-Match', schema: { type: 'string' } },
  RetryAfter: { description: 'Seconds', schema: { type: 'integer', minimum: 0 } },
  WwwAuthenticate: { description: 'The required authentication (RFC 6750)', schema: { type: 'string' } },
};
