/** A real HTTP façade on a free port, with doubles behind it, for one test; and ways to ask it that hide nothing. */
import { type IncomingHttpHeaders, type IncomingMessage, request as plain } from 'node:http';
import { type RequestOptions, request as secure } from 'node:https';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { EventReader } from '../../../actors/formats/event-reader.js';
import type {
  Answer,
  CatalogueItem,
  EventPublisher,
  ItemCatalogue,
  Ranking,
  SimilarItems,
} from '../../../connectors/facade/ports.js';
import type { HealthReport } from '../../../connectors/http/routes/health-report.js';
import type { NodeReports } from '../../../connectors/http/ports.js';
import { type HttpServer, type HttpServerOptions, startHttpServer } from '../../../connectors/http/server/server.js';
import { DOCS_POLICY } from '../../../connectors/http/routes/page.js';
import { laterFiles, staticFiles } from '../../../connectors/http/server/static-files.js';
import { systemClock } from '../../../runtime/contract/clock.js';
import { ROOT } from '../../guards/source-files.js';
import { ANSWER } from '../grpc/facade.js';
import { entries, HandLists } from '../facade/trending/trending-lists.js';
import { OPERATIONS } from './operations-doubles.js';

/** What the observer was told of one request. */
export interface EndedRequest {
  /** `GET /reco/{user_id}` */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
}

export interface HttpFacade {
  readonly server: HttpServer;
  readonly port: number;
  /** `http://127.0.0.1:port`, without a slash at its end. */
  readonly origin: string;
  /** What /trending and its stream answer from. */
  readonly lists: HandLists;
  /** Routes of the requests that the observer was told as begun. */
  readonly began: string[];
  readonly requests: EndedRequest[];
  ask(path: string, asked?: Asked): Promise<HttpAnswer>;
  /** Sends bytes as they are, and gives all that comes back until the connection ends. */
  sendRaw(...parts: readonly (string | Uint8Array)[]): Promise<string>;
}

export interface Asked extends Pick<RequestOptions, 'method' | 'headers' | 'agent' | 'ca' | 'cert' | 'key'> {
  /** An object is sent as JSON. */
  readonly body?: string | Uint8Array | object;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON; throws when it is none. */
  readonly json: unknown;
}

/** RFC 9457, as the façade writes it. */
export interface ProblemJson {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly reason: string;
  readonly request_id: string;
  readonly errors?: readonly { readonly field: string; readonly detail: string }[];
  readonly retry_after_seconds?: number;
  readonly metadata?: Readonly<Record<string, string>>;
}

export const storesAll: EventPublisher = { publish: () => Promise.resolve() };

export const HEALTHY: HealthReport = {
  status: 'serving',
  node: 'node-a',
  uptime_seconds: 12.5,
  reasons: [],
  dependencies: { nats: { status: 'up', url: 'nats://127.0.0.1:4222', version: '2.15.0' } },
  stages: [{ stage: 'parse', running: 4, partitions: 4, failed: 0 }],
};

export const REPORTS: NodeReports = {
  version: '1.2.3',
  health: () => HEALTHY,
  metrics: async () => ({
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    text: '# HELP rivulet_up Whether it is up\n# TYPE rivulet_up gauge\nrivulet_up 1\n',
  }),
};

/** With a reason for each item. */
export const RECOMMENDED: Answer = {
  ...ANSWER,
  items: ANSWER.items.map((item) => ({ ...item, reason: `popular in ${item.category}` })),
};

export const ITEM: CatalogueItem = {
  itemId: '1004856',
  title: 'Blue kettle',
  category: 'kitchen.kettle',
  brand: 'acme',
  price: 24.9,
  tags: ['hot', 'steel'],
  updatedAtMs: Date.UTC(2019, 9, 1),
};

export const CATALOGUE: ItemCatalogue = {
  revision: 1,
  get: (itemId) => (itemId === ITEM.itemId ? ITEM : undefined),
  unknown: () => [{ itemId: 'p-2', events: 3, lastEventMs: Date.UTC(2026, 0, 2) }],
};

export const SIMILAR: SimilarItems = {
  get: ({ itemId }) =>
    itemId === ITEM.itemId
      ? [{ itemId: 'p-2', rank: 1, score: 0.5, category: 'kitchen', title: 'Red kettle' }]
      : undefined,
};

export const RANKING: Ranking = {
  report: () => ({
    judged: 40,
    hitRates: [{ model: 'popular', hitRate: 0.25 }],
    weights: [{ feature: 'popular', weight: 0.5 }],
    factors: { trainedMs: Date.UTC(2026, 0, 2), items: 900, rank: 32 },
    experiment: {
      name: 'lists',
      arms: [
        {
          ...{ arm: 'old', strategy: 'category-popularity', percent: 60, users: 0, shown: 0, followed: 0 },
          ...{ hitRate: undefined, p: undefined },
        },
        {
          ...{ arm: 'new', strategy: 'hybrid', percent: 40, users: 2, shown: 20, followed: 3 },
          ...{ hitRate: 0.5, p: 0.25 },
        },
      ],
    },
  }),
};

/** Doubles that answer everything; what is given takes their place. */
export async function httpFacade(options: Partial<HttpServerOptions> = {}): Promise<HttpFacade> {
  const requests: EndedRequest[] = [];
  const began: string[] = [];
  const lists = new HandLists();
  lists.set(entries('1004856:12 1005115:7 1002544:3'));
  const server = await startHttpServer({
    answers: { get: () => RECOMMENDED },
    randomUsers: { next: () => '512' },
    publisher: storesAll,
    reader: new EventReader(),
    trending: lists,
    catalogue: CATALOGUE,
    similar: SIMILAR,
    ranking: RANKING,
    // As `npm run build` makes them.
    page: staticFiles(join(ROOT, 'dist', 'page')),
    docs: laterFiles(() => staticFiles(join(ROOT, 'dist', 'docs'), { policy: DOCS_POLICY })),
    reports: REPORTS,
    operations: OPERATIONS,
    port: 0,
    clock: systemClock,
    observer: {
      began: (route) => began.push(route),
      ended: (route, status, ms) => requests.push({ route, status, ms }),
    },
    ...options,
  });
  onTestFinished(() => server.stop(200));
  const { port } = server;
  const scheme = options.tls === undefined ? 'http' : 'https';
  return {
    ...{ server, port, lists, began, requests, origin: `${scheme}://127.0.0.1:${port}` },
    ask: (path, asked) => ask(port, path, asked, scheme),
    sendRaw: (...parts) => sendRaw(port, ...parts),
  };
}

/** One request on a connection of its own, unless an agent says otherwise; the path goes out as it is. */
export async function ask(
  port: number,
  path: string,
  asked: Asked = {},
  scheme: 'http' | 'https' = 'http',
): Promise<HttpAnswer> {
  const message = await asking(port, path, asked, scheme);
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  const { statusCode = 0, headers } = message;
  return {
    ...{ status: statusCode, headers, text },
    get json() {
      return JSON.parse(text) as unknown;
    },
  };
}

/** The answer as soon as its headers are there: a stream may have no end. */
export function asking(
  port: number,
  path: string,
  { body, headers = {}, agent = false, ...rest }: Asked = {},
  scheme: 'http' | 'https' = 'http',
): Promise<IncomingMessage> {
  const isRaw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
  const all = isRaw ? headers : { 'content-type': 'application/json', ...headers };
  return new Promise((resolve, reject) => {
    const send = scheme === 'https' ? secure : plain;
    const sent = send({ host: '127.0.0.1', port, path, agent, headers: all, ...rest }, resolve);
    sent.on('error', reject);
    sent.end(isRaw ? body : JSON.stringify(body));
  });
}

/** A bare connection, closed with the test. */
export function connected(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
    onTestFinished(() => void socket.destroy());
  });
}

async function sendRaw(port: number, ...parts: readonly (string | Uint8Array)[]): Promise<string> {
  const socket = await connected(port);
  const came: Buffer[] = [];
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  // A reset after the answer: what came before it counts.
  socket.on('error', () => socket.destroy());
  socket.on('data', (part: Buffer) => came.push(part));
  for (const part of parts) socket.write(part);
  await ended;
  return Buffer.concat(came).toString();
}

/** An answer that must be a problem of this status: its shape, its type and its id are looked at. */
export function problemOf(answer: HttpAnswer, status: number): ProblemJson {
  const { headers } = answer;
  if (answer.status !== status) throw new Error(`the status is ${answer.status}, not ${status}: ${answer.text}`);
  const problem = answer.json as ProblemJson;
  const faults = [
    headers['content-type'] === 'application/problem+json' ? '' : `it is of type ${headers['content-type']}`,
    problem.type === 'about:blank' ? '' : 'type is not about:blank',
    problem.status === status ? '' : `it says status ${problem.status}`,
    /^[A-Z][A-Z0-9_]+$/.test(problem.reason) ? '' : `the reason is ${problem.reason}`,
    problem.title && problem.detail ? '' : 'it has no title or detail',
    typeof problem.instance === 'string' ? '' : 'it has no instance',
    problem.request_id && headers['x-request-id'] === problem.request_id ? '' : 'it has not the id of its header',
  ].filter(Boolean);
  if (faults.length > 0) throw new Error(`no problem as it should be: ${faults.join(', ')}\n${answer.text}`);
  return problem;
}
