/**
 * The way to the server: every request has the token, a time limit, and an error in words.
 *
 *   PAGE-SERVER-1  nothing waits for ever: without an answer within REQUEST_MS_MAX it is an error that says so
 *   PAGE-SERVER-2  a 401 asks for a token, once for the whole page; whoever polls waits until there is one
 */
import type { Problem } from './answers.js';
import { Cell } from './cell.js';

const REQUEST_MS_MAX = 8_000;
const TOKEN_KEY = 'rivulet.token';
const TOKEN = /^[\w.-]*$/;

/** Why a token is asked for; `undefined`: none is. */
export const tokenAsked = new Cell<string | undefined>(undefined);

export class RequestFault extends Error {
  constructor(
    /** For people: what is wrong and, where it is known, what to do. */
    message: string,
    /** Of HTTP; 0: no answer. */
    readonly status: number,
    readonly problem: Problem = {},
  ) {
    super(message);
  }

  get retryAfterMs(): number | undefined {
    const { retry_after_seconds: seconds } = this.problem;
    return seconds === undefined ? undefined : seconds * 1000;
  }

  /** What is wrong with a field, when that is what is wrong. */
  of(field: string): string | undefined {
    return this.problem.errors?.find((one) => one.field === field)?.detail;
  }
}

export const faultOf = (error: unknown): RequestFault =>
  error instanceof RequestFault ? error : new RequestFault(error instanceof Error ? error.message : String(error), 0);

let token = sessionStorage.getItem(TOKEN_KEY) ?? '';

/** Whether the server takes it; then it is kept for as long as the tab is open. Throws when that cannot be found out. */
export async function tryToken(candidate: string): Promise<RequestFault | undefined> {
  const bare = candidate.trim().replace(/^bearer\s+/i, '');
  // A browser sends no other signs in a header, or throws in words of its own.
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
  tokenAsked.set(undefined);
  return undefined;
}

/** A request whose answer is not an error. The caller's signal ends it too. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== '') headers.set('authorization', `Bearer ${token}`);
  let response: Response;
  try {
    // The page is at /ui/, wherever a proxy may have put that.
    response = await fetch(`..${path}`, { ...init, headers, cache: 'no-cache' });
  } catch (error) {
    if (init.signal?.aborted === true) throw init.signal.reason;
    throw new RequestFault('The server does not answer.', 0, { detail: String(error) });
  }
  if (response.ok) return response;
  const fault = await faultIn(response);
  if (fault.status === 401) tokenAsked.set(fault.message);
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

/** What stands before us may answer with something else than a problem. */
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
