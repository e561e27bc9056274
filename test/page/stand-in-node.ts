/** A stand-in for a node: the routes that the page asks, over a real socket, with what can go wrong at hand. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { staticFiles } from '../../connectors/http/server/static-files.js';
import type { PageNode, ShopEvent } from './page-node.js';
import { StandInShop } from './stand-in-shop.js';

type Problem = {
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
  readonly [extra: string]: unknown;
};
type Stream = {
  readonly response: ServerResponse;
  readonly n: number;
  readonly category: string | null;
  readonly window: string;
  last: Record<string, unknown>[];
};

export interface StandInNode extends PageNode {
  readonly shop: StandInShop;
  /** Asked of every request but those of the page itself. */
  token: string | undefined;
  /** What requests whose path begins so are answered with. */
  readonly faults: Map<string, Problem>;
  /** As asked, oldest first. */
  readonly asked: string[];
  /** Sends what has changed to those who follow the list. */
  tell(): void;
  /** No connection and no answer, until it comes back at the same address. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
}

const REQUEST_ID = 'r-1';
const STEP_MS = 300_000;
const HOUR_MS = 3_600_000;

/** The window that runs, of the real time. */
function spanOf(window: string): object {
  const now = Date.now();
  const stepMs = window === 'last-hour' ? STEP_MS : HOUR_MS;
  const end = (Math.floor(now / stepMs) + 1) * stepMs;
  const at = (ms: number): string => new Date(ms).toISOString();
  return {
    ...{ as_of: at(now), window_end: at(end) },
    window_start: at(end - (window === '24h' ? 24 : 1) * HOUR_MS),
  };
}

const clip = (value: string | null): number => Number(value ?? '10');

/** `folder`: the page, bundled. */
export async function standInNode(folder: string): Promise<StandInNode> {
  const files = staticFiles(folder);
  const shop = new StandInShop();
  const streams = new Set<Stream>();
  const asked: string[] = [];
  const faults = new Map<string, Problem>();
  let port = 0;
  let server: Server;

  const json = (response: ServerResponse, body: unknown, status = 200): void => {
    const text = JSON.stringify(body);
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    response.writeHead(status, { 'content-type': type, 'x-request-id': REQUEST_ID, etag: `"${text.length}"` });
    response.end(text);
  };
  const refuse = (response: ServerResponse, problem: Problem): void => {
    const instance = new URL(response.req.url!, 'http://node').pathname;
    const known = { type: 'about:blank', title: 'Bad Request', instance, request_id: REQUEST_ID };
    json(response, { ...known, ...problem }, problem.status);
  };
  const wrongN = (url: URL): Problem | undefined => {
    const text = url.searchParams.get('n') ?? '10';
    if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 100) return undefined;
    const errors = [{ field: 'n', detail: `n is ${text}: send a whole number from 1 to 100` }];
    return { status: 400, reason: 'INVALID_FIELD', title: 'Bad Request', detail: 'a field is wrong', errors };
  };

  const sendStream = (url: URL, response: ServerResponse): void => {
    const { searchParams } = url;
    const stream: Stream = {
      response,
      n: clip(searchParams.get('n')),
      category: searchParams.get('category'),
      window: searchParams.get('window') ?? '1h',
      last: [],
    };
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    stream.last = shop.trending(stream.n, stream.category);
    const data = { revision: shop.revision, ...spanOf(stream.window), items: stream.last };
    response.write(`retry: 200\n\nevent: snapshot\nid: ${shop.revision}\ndata: ${JSON.stringify(data)}\n\n`);
    streams.add(stream);
    response.on('close', () => streams.delete(stream));
  };

  const retry = async (url: URL, request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const id = decodeURIComponent(url.pathname.split('/')[2]!);
    const letter = shop.letters.find((one) => one['id'] === id);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    asked.push(Buffer.concat(chunks).toString());
    if (letter === undefined)
      return refuse(response, { status: 404, reason: 'DEAD_LETTER_UNKNOWN', detail: `${id} is not there` });
    if (letter['retried_at'] !== undefined && !url.searchParams.has('again')) {
      return refuse(response, { status: 409, reason: 'DEAD_LETTER_RETRIED', detail: `${id} was retried` });
    }
    letter['retried_at'] = new Date().toISOString();
    return json(response, { id, subject: 'rivulet.events.view' });
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url!, 'http://node');
    const path = url.pathname;
    if (path.startsWith('/ui/')) {
      const { status, headers, body } = files(path.slice('/ui'.length), request);
      response.writeHead(status, headers).end(body);
      return;
    }
    asked.push(request.url!);
    if (node.token !== undefined && request.headers.authorization !== `Bearer ${node.token}`) {
      const detail = request.headers.authorization === undefined ? 'a token is needed' : 'the token is not one of ours';
      return refuse(response, { status: 401, title: 'Unauthorized', reason: 'TOKEN_MISSING', detail });
    }
    for (const [start, problem] of faults) if (request.url!.startsWith(start)) return refuse(response, problem);
    const fault = path.startsWith('/reco') ? wrongN(url) : undefined;
    if (fault !== undefined) return refuse(response, fault);
    const n = clip(url.searchParams.get('n'));
    const category = url.searchParams.get('category');
    const strategy = url.searchParams.get('strategy') ?? 'category-popularity';
    if (path === '/reco/random')
      return json(response, { ...shop.recommend('user-0815', n, category, strategy), is_random: true });
    if (path === '/reco')
      return json(response, shop.recommend(url.searchParams.get('user_id')!, n, category, strategy));
    if (path === '/ranking') return json(response, shop.ranking());
    const similar = /^\/items\/(.+)\/similar$/.exec(path);
    if (similar !== null) return json(response, shop.similar(decodeURIComponent(similar[1]!), n));
    if (path === '/status') return json(response, shop.status());
    if (path === '/trending/stream') return sendStream(url, response);
    if (path.endsWith('/retry') && request.method === 'POST') return retry(url, request, response);
    if (path === '/dead-letters' || path === '/late-events') {
      const retried = url.searchParams.get('retried');
      const all = path === '/late-events' ? shop.late() : shop.letters.filter((one) => retried === null || (retried === 'true') === (one['retried_at'] !== undefined)); // prettier-ignore
      const from = Number(url.searchParams.get('cursor') ?? '0');
      const to = from + Number(url.searchParams.get('limit') ?? '50');
      const items = all.slice(from, to);
      return json(response, { count: items.length, items, ...(to < all.length ? { next_cursor: String(to) } : {}) });
    }
    return refuse(response, { status: 404, title: 'Not Found', reason: 'NOT_FOUND', detail: `${path} is not there` });
  };

  const open = async (): Promise<void> => {
    server = createServer((request, response) => void answer(request, response));
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    ({ port } = server.address() as AddressInfo);
  };
  const shut = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };

  const node: StandInNode & { token: string | undefined } = {
    shop,
    asked,
    faults,
    token: undefined,
    get url() {
      return `http://127.0.0.1:${port}`;
    },
    tell() {
      for (const stream of streams) {
        const items = shop.trending(stream.n, stream.category);
        const before = new Map(stream.last.map((item) => [item['item_id'], JSON.stringify(item)]));
        const now = new Set(items.map((item) => item['item_id']));
        const data = {
          revision: shop.revision,
          from_revision: shop.revision - 1,
          ...spanOf(stream.window),
          entered: items.filter((item) => !before.has(item['item_id'])),
          moved: items.filter(
            (item) => before.has(item['item_id']) && before.get(item['item_id']) !== JSON.stringify(item),
          ),
          left: stream.last.flatMap((item) => (now.has(item['item_id']) ? [] : [item['item_id']])),
        };
        stream.last = items;
        stream.response.write(`event: delta\nid: ${shop.revision}\ndata: ${JSON.stringify(data)}\n\n`);
      }
    },
    async publish(events) {
      for (const event of events) count(shop, event);
      shop.revision++;
      node.tell();
    },
    goAway: shut,
    comeBack: open,
    close: shut,
  };
  await open();
  return node;
}

function count(shop: StandInShop, event: ShopEvent | string): void {
  shop.events++;
  if (typeof event === 'string') return shop.refuse(2, Date.now());
  let item = shop.items.find((one) => one.item_id === event.item_id);
  if (item === undefined) {
    const { item_id, category_code: category = '' } = event;
    item = { item_id, title: `Title of ${item_id}`, category, brand: 'acme', price: 1, views: 0, clicks: 0 };
    shop.items.push(item);
  }
  if (event.event_type === 'click') item.clicks++;
  else item.views++;
}
