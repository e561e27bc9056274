/**
 * Requests to the server: each has the token, a time limit, and errors as readable messages.
 *
 *   PAGE-SERVER-1  every request ends: one without a response within REQUEST_MS_MAX fails with a message
 *   PAGE-SERVER-2  a 401 prompts for a token, once for the whole page; polling waits until there is one
 */
import type { Problem } from './answers.js';
import { SharedValue } from './shared-value.js';

const REQUEST_MS_MAX = 8_000;
const TOKEN_KEY = 'rivulet.token';
const TOKEN = /^[\w.-]*$/;

/** Why a token is requested; `undefined`: none is. */
export const tokenRequest = new SharedValue<string | undefined>(undefined);

export class RequestFault extends Error {
  constructor(
    /** For people: the problem and, where known, the remedy. */
    message: string,
    /** The HTTP status; 0: no response. */
    readonly status: number,
    readonly problem: Problem = {},
  ) {
    super(message);
  }

  get retryAfterMs(): number | undefined {
    const { retry_after_seconds: seconds } = this.problem;
    return seconds === undefined ? undefined : seconds * 1000;
  }

  /** The error of one field, if there is one. */
  of(field: string): string | undefined {
    return this.problem.errors?.find((one) => one.field === field)?.detail;
  }
}

export const faultOf = (error: unknown): RequestFault =>
  error instanceof RequestFault ? error : new RequestFault(error instanceof Error ? error.message : String(error), 0);

let token = sessionStorage.getItem(TOKEN_KEY) ?? '';

/** Tries a token; an accepted one is kept for as long as the tab is open. Throws when the server cannot be asked. */
export async function tryToken(candidate: string): Promise<RequestFault | undefined> {
  const bare = candidate.trim().replace(/^bearer\s+/i, '');
  // A browser rejects other characters in a header, with a message of its own.
  if (!TOKEN.test(bare)) return new RequestFault('A token has only letters, digits and - _ . and no quotes.', 0);
  const before = token;
  token = bare;
  try {
    await getJson('/status');
  } catch (error) {
    const fault = faultOf(error);
    if (fault.status === 401 || fault.status === 403 || fault.status === 0) {
      token = before;
      return fault;
    }
  }
  sessionStorage.setItem(TOKEN_KEY, token);
  tokenRequest.set(undefined);
  return undefined;
}

/** A request whose response is not an error. The caller's signal ends it too. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== '') headers.set('authorization', `Bearer ${token}`);
  let response: Response;
  try {
    // The page is at /ui/, under any prefix of a proxy.
    response = await fetch(`..${path}`, { ...init, headers, cache: 'no-cache' });
  } catch (error) {
    if (init.signal?.aborted === true) throw init.signal.reason;
    throw new RequestFault('The server does not answer.', 0, { detail: String(error) });
  }
  if (response.ok) return response;
  const fault = await faultIn(response);
  if (fault.status === 401) tokenRequest.set(fault.message);
  throw fault;
}

export async function getJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  const limit = AbortSignal.timeout(REQUEST_MS_MAX);
  const signal = init.signal === undefined || init.signal === null ? limit : AbortSignal.any([limit, init.signal]);
  try {
    const response = await request(path, { ...init, signal });
    return (await response.json()) as T;
  } catch (error) {
    if (limit.aborted) throw new RequestFault(`No answer within ${REQUEST_MS_MAX / 1000} seconds.`, 0);
    throw error;
  }
}

export const postJson = <T>(path: string, body?: unknown): Promise<T> =>
  getJson<T>(path, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });

/** `{ n: 10, category: undefined }` → `?n=10` */
export function query(fields: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined && value !== '') search.set(name, String(value));
  }
  const text = search.toString();
  return text === '' ? '' : `?${text}`;
}

async function faultIn(response: Response): Promise<RequestFault> {
  const problem = await problemIn(response);
  const { status } = response;
  const after = Number(response.headers.get('retry-after') ?? Number.NaN);
  const seconds = problem.retry_after_seconds ?? (Number.isFinite(after) ? after : undefined);
  const said = problem.detail ?? problem.title ?? `The server answered with status ${status}.`;
  return new RequestFault(sentence(said), status, {
    ...problem,
    ...(seconds === undefined ? {} : { retry_after_seconds: seconds }),
  });
}

/** A proxy may respond with something other than problem details. */
async function problemIn(response: Response): Promise<Problem> {
  const type = response.headers.get('content-type') ?? '';
  if (!/[/+]json\b/.test(type)) return {};
  try {
    return (await response.json()) as Problem;
  } catch {
    return {};
  }
}

const sentence = (text: string): string => {
  const first = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(first) ? first : `${first}.`;
};
