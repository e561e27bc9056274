/** Doctor: the HTTP façade, and what the node behind it says of its stages. */
import type { Config } from '../config.js';
import { asError } from '../errors.js';
import { broken, type Check, type Finding, ok, warning } from './doctor.js';
import { isFree } from './doctor-machine.js';
import { pipelineFindings, type StatusSaid } from './doctor-pipeline.js';
import { tokenOf } from './node-link.js';
import { harmless, shortened } from './terminal.js';

const ANSWER_MS_MAX = 3_000;
/** Between two looks: what changes, and how fast, takes two. */
const LOOK_AGAIN_MS = 1_000;
const REASON_CHARACTERS_MAX = 300;

/** Where it listens; `hasTls`: with a certificate. */
export interface HttpPlace {
  readonly host: string;
  readonly port: number;
  readonly hasTls: boolean;
}

/** Of GET /health, what is told here. */
interface HealthSaid {
  readonly status: 'serving' | 'degraded' | 'starting' | 'unavailable' | 'stopping';
  readonly version?: string;
  readonly reasons?: readonly string[];
  readonly dependencies?: { readonly nats?: { readonly status: 'up' | 'down'; readonly url?: string } };
}

const STATUSES: readonly string[] = [
  'serving',
  'degraded',
  'starting',
  'unavailable',
  'stopping',
] satisfies HealthSaid['status'][];

export const httpChecks = (config: Config): Check[] => [
  { name: 'http', run: () => httpFindings(placeOf(config), { token: tokenOf({}) }) },
];

const placeOf = ({ httpHost: host, httpPort: port, tlsCertFile }: Config): HttpPlace => ({
  ...{ host, port, hasTls: tlsCertFile !== undefined },
});

export interface AskOptions {
  /** Where tokens are asked for. */
  readonly token?: string | undefined;
  readonly lookAgainMs?: number;
}

export async function httpFindings(place: HttpPlace, options: AskOptions = {}): Promise<readonly Finding[]> {
  const { host, port, hasTls } = place;
  if (port === 0) return [ok('HTTP takes any free port')];
  if (await isFree(host, port)) return [ok(`HTTP port ${port} is free, no node answers there now`)];
  const address = addressOf(place);
  if (hasTls) {
    return [
      warning(`something listens on ${address}, with TLS`, `ask it: curl --cacert FILE https://${address}/health`),
    ];
  }
  const health = await asked(`http://${address}/health`, {});
  if (!('body' in health) || !isHealth(health.body)) {
    const found = 'body' in health ? `another program listens on ${address}` : `${address}: ${health.error}`;
    return [broken(found, 'stop it, or choose another port with --http-port or RIVULET_HTTP_PORT')];
  }
  return [healthFinding(address, health.body), ...(await stageFindings(address, options))];
}

function healthFinding(address: string, { status, version, reasons = [], dependencies }: HealthSaid): Finding {
  const which = version === undefined ? 'a node' : `a node (${version})`;
  if (status === 'serving') return ok(`${which} answers on http://${address}: serving`);
  const why = reasons.length > 0 ? `: ${shortened(harmless(reasons.join('; ')), REASON_CHARACTERS_MAX)}` : '';
  const message = `${which} answers on http://${address}, and is not serving (${status})${why}`;
  if (status === 'starting' || status === 'stopping') return warning(message, 'ask again in a moment');
  const { nats } = dependencies ?? {};
  if (nats?.status === 'down')
    return broken(message, `see that NATS runs${nats.url === undefined ? '' : ` at ${nats.url}`}`);
  return broken(message, 'see the log of the node');
}

async function stageFindings(address: string, options: AskOptions): Promise<readonly Finding[]> {
  const { token, lookAgainMs = LOOK_AGAIN_MS } = options;
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const look = (): Promise<Answer> => asked(`http://${address}/status`, headers);
  const first = await look();
  if ('body' in first && (first.code === 401 || first.code === 403)) {
    return [warning('how the stages are is told only to who has a token', 'set RIVULET_TOKEN to one, and ask again')];
  }
  if (!('body' in first) || !isStatus(first.body)) return [];
  const atMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, lookAgainMs));
  const second = await look();
  if (!('body' in second) || !isStatus(second.body)) return [];
  return pipelineFindings(first.body, second.body, (performance.now() - atMs) / 1000);
}

type Answer = { readonly code: number; readonly body: unknown } | { readonly error: string };

async function asked(url: string, headers: Readonly<Record<string, string>>): Promise<Answer> {
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS_MAX), redirect: 'manual' });
    const text = await response.text();
    return { code: response.status, body: parsed(text) };
  } catch (error) {
    const { message, cause } = asError(error);
    return { error: cause instanceof Error ? `${message}: ${cause.message}` : message };
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isHealth = (body: unknown): body is HealthSaid =>
  typeof body === 'object' && body !== null && 'status' in body && STATUSES.includes(String(body.status));

const isStatus = (body: unknown): body is StatusSaid =>
  typeof body === 'object' && body !== null && 'stages' in body && Array.isArray(body.stages) && 'counters' in body;

/** Where it is reached from this machine. */
function addressOf({ host, port }: HttpPlace): string {
  const reached = { '0.0.0.0': '127.0.0.1', '::': '[::1]' }[host] ?? (host.includes(':') ? `[${host}]` : host);
  return `${reached}:${port}`;
}
