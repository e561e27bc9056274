/** The document of a façade, and its schemas as a test holds answers to them: nothing that they do not name may be in an answer. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { HttpAnswer, HttpFacade } from './http-facade.js';

export interface Operation {
  readonly method: string;
  /** `/reco/{user_id}` */
  readonly path: string;
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, object>> };
  readonly responses: Readonly<Record<string, Response>>;
  readonly security?: readonly object[];
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Readonly<Record<string, unknown>>;
}

interface Response {
  readonly description: string;
  readonly headers?: Readonly<Record<string, object>>;
  readonly content?: Readonly<Record<string, { readonly schema: Readonly<Record<string, unknown>> }>>;
}

export interface ApiDocument {
  readonly json: Readonly<Record<string, unknown>>;
  readonly operations: readonly Operation[];
  /** What in an answer is not as its operation says; empty when all is. */
  faultsOf(operation: Operation, answer: HttpAnswer): string[];
  /** Of a value against a component. */
  faultsIn(component: string, value: unknown): string[];
}

type Json = Record<string, unknown>;
const METHODS = new Set(['get', 'post', 'put', 'patch', 'delete']);

export async function apiDocument({ ask }: Pick<HttpFacade, 'ask'>): Promise<ApiDocument> {
  const { json } = (await ask('/openapi.json')) as { json: Json };
  const resolve = <T>(value: unknown): T => {
    const { $ref } = value as { $ref?: string };
    if ($ref === undefined) return value as T;
    const found = $ref
      .slice(2)
      .split('/')
      .reduce<unknown>((at, key) => (at as Json)[key], json);
    if (found === undefined) throw new Error(`${$ref} leads nowhere`);
    return found as T;
  };
  const paths = json['paths'] as Record<string, Record<string, Json>>;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([method]) => METHODS.has(method))
      .map(([method, operation]): Operation => {
        const responses = Object.entries(operation['responses'] as Json).map(([status, one]) => [status, resolve(one)]);
        const parameters = ((operation['parameters'] as unknown[]) ?? []).map((one) => resolve<Parameter>(one));
        return {
          ...(operation as unknown as Operation),
          ...{ method: method.toUpperCase(), path, parameters },
          responses: Object.fromEntries(responses) as Operation['responses'],
        };
      }),
  );

  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema({ $id: 'document', components: closed(json['components']) } as Json);
  const compiled = new Map<string, ValidateFunction<unknown>>();
  const faults = (schema: Json, value: unknown): string[] => {
    const key = JSON.stringify(schema);
    let validate = compiled.get(key);
    if (validate === undefined) {
      validate = ajv.compile(closed(JSON.parse(key.replaceAll('"#/', '"document#/')) as Json) as Json);
      compiled.set(key, validate);
    }
    return validate(value) ? [] : (validate.errors ?? []).map((one) => `${one.instancePath} ${one.message}`);
  };
  return {
    json,
    operations,
    faultsIn: (component, value) => faults({ $ref: `#/components/schemas/${component}` }, value),
    faultsOf: ({ responses, method }, { status, headers, text }) => {
      const response = responses[status];
      if (response === undefined) return [`${status} is not among ${Object.keys(responses).join(', ')}: ${text}`];
      const missing = Object.keys(response.headers ?? {}).filter((name) => headers[name] === undefined);
      const wrong = missing.map((name) => `${status} has no header ${name}`);
      if (response.content === undefined) return text === '' ? wrong : [...wrong, `${status} has a body: ${text}`];
      if (method === 'HEAD') return wrong;
      const type = (headers['content-type'] ?? '').split(';', 1)[0]!;
      const media = response.content[type];
      if (media === undefined) return [...wrong, `${status} is of type ${type}`];
      if (!type.endsWith('json')) return wrong;
      return [...wrong, ...faults(media.schema, JSON.parse(text))];
    },
  };
}

/** Objects of the document may get more fields some day; an answer of today has none that are not in it. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const made = Object.fromEntries(Object.entries(value).map(([key, one]) => [key, closed(one)])) as Json;
  if (made['type'] === 'object' && made['properties'] !== undefined) made['additionalProperties'] ??= false;
  return made;
}
