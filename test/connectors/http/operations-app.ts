/** The routes for operations, behind the real frame of the façade, on a free port. */
import { onTestFinished } from 'vitest';
import { EventReader } from '../../../actors/formats/event-reader.js';
import type { EventPublisher } from '../../../connectors/facade/ports.js';
import { createApp } from '../../../connectors/http/server/app.js';
import { deadLetterRoutes } from '../../../connectors/http/routes/dead-letters.js';
import { eventRoutes } from '../../../connectors/http/routes/events.js';
import { FaultLog } from '../../../connectors/facade/errors/fault-log.js';
import { Gate } from '../../../connectors/http/server/gate.js';
import { HTTP_LIMITS, type HttpLimits } from '../../../connectors/http/server/limits.js';
import { lateEventRoutes } from '../../../connectors/http/routes/late-events.js';
import type { DeadLetters, LateEvents, NodeStatus } from '../../../connectors/http/operations-ports.js';
import { RequestTally } from '../../../connectors/http/server/request-tally.js';
import { statusRoutes } from '../../../connectors/http/routes/status.js';
import { systemClock } from '../../../runtime/contract/clock.js';

export interface OperationsPorts {
  readonly publisher?: EventPublisher;
  readonly reader?: EventReader;
  readonly deadLetters?: DeadLetters;
  readonly lateEvents?: LateEvents;
  readonly status?: NodeStatus;
  readonly limits?: Partial<HttpLimits>;
}

/** An answer, with its body as JSON; `undefined` for none. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // What a test knows of it, it says itself.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export interface HttpClient {
  readonly url: string;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Answered>;
  /** `body`: bytes or text as they are, anything else as JSON; `undefined`: none. */
  post(path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answered>;
}

export interface OperationsApp extends HttpClient {
  /** How many are open at the server. */
  connections(): Promise<number>;
}

export async function operationsApp(ports: OperationsPorts): Promise<OperationsApp> {
  const { publisher, reader = new EventReader(), deadLetters, lateEvents, status } = ports;
  const limits = { ...HTTP_LIMITS, ...ports.limits };
  const origins = new Set<string>();
  const clock = systemClock;
  const gate = new Gate({ limits, clock, tokens: undefined, asksForCertificates: false, isLoopback: true, origins });
  const app = await createApp({
    limits,
    gate,
    log: new FaultLog('an HTTP request', undefined, clock),
    tally: new RequestTally(undefined),
    isStopping: () => false,
    origins,
  });
  onTestFinished(() => app.close());
  if (publisher !== undefined) eventRoutes(app, { publisher, reader, clock, limits });
  if (deadLetters !== undefined) deadLetterRoutes(app, deadLetters, gate);
  if (lateEvents !== undefined) lateEventRoutes(app, lateEvents, gate);
  if (status !== undefined) statusRoutes(app, status);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  const connections = (): Promise<number> =>
    new Promise((resolve, reject) => {
      app.server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  return { ...httpClient(url), connections };
}

/** Of whatever listens there. */
export function httpClient(url: string): HttpClient {
  const ask = async (path: string, init: RequestInit): Promise<Answered> => {
    const response = await fetch(url + path, init);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      body: text === '' ? undefined : JSON.parse(text),
    };
  };
  return {
    url,
    get: (path, headers = {}) => ask(path, { headers }),
    post: (path, body, headers = {}) => {
      if (body === undefined) return ask(path, { method: 'POST', headers });
      const sent = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
      return ask(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: sent as NonNullable<RequestInit['body']>,
      });
    },
  };
}
