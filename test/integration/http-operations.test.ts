/** A real node, operated over HTTP: events in, what became of them, and a refused one sent again. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { runningServer } from '../../runtime/cli/nats-link.js';
import { utf8 } from '../../runtime/frames/bytes.js';
import type { Log } from '../../runtime/contract/ports.js';
import { type Running, startCli, workingDirectory } from '../cli/run-cli.js';
import { httpClient, type HttpClient } from '../connectors/http/operations-app.js';
import { until } from '../support/nats-cluster.js';

const { cwd, remove } = workingDirectory();
const SMALL = ['--set', 'partitions=2', '--set', 'sourcePartitions=1', '--grpc-port', '0', '--http-port', '0'];
const HOUR_MS = 3_600_000;

let node: Running;
let http: HttpClient;
let log: Log;

beforeAll(async () => {
  node = startCli(cwd, ['start', '--data-dir', 'data', ...SMALL]);
  const [, url] = await node.printed(/HTTP at (http:\S+?)\/?,/);
  http = httpClient(url!);
  log = await openNatsLog(await connectNats(runningServer(join(cwd, 'data'))!, 'test-operations'));
});
afterAll(async () => {
  await log?.close();
  node?.child.kill('SIGTERM');
  await node?.ended;
  remove();
});

const view = (id: string, timeMs: number, given: object = {}): object => ({
  ...{ event_id: id, event_type: 'view', event_time: new Date(timeMs).toISOString(), user_id: 'u1', item_id: 'i1' },
  ...given,
});

/** Until a list of this path has one. */
const one = (path: string): Promise<object & { readonly id: string; readonly window_end: string }> =>
  until(`one of ${path}`, async () => {
    const { body } = await http.get(path);
    expect(body.count).toBe(1);
    return body.items[0];
  });

/** Until the node has counted these, all of them one way or the other. */
const counted = (wanted: object): Promise<boolean> =>
  until(`the counters ${JSON.stringify(wanted)}`, async () => {
    const { counters } = (await http.get('/status')).body;
    expect(counters).toMatchObject(wanted);
    return true;
  });

it('takes events in, shows what became of them, and sends a refused one again', async () => {
  const nowMs = Date.now();
  const events = [view('a', nowMs), view('b', nowMs), view('a', nowMs)];
  expect((await http.post('/events', events)).body).toMatchObject({ accepted: 3, rejected: 0 });
  await counted({ events: 3, on_time: 2, duplicates: 1, late: 0, dead_letter: 0 });

  const bad = JSON.stringify(view('c', nowMs, { price: -1 }));
  await log.publish('rivulet.events.view.u1', utf8(bad));
  await counted({ events: 4, dead_letter: 1 });
  const letter = await one('/dead-letters?retried=false');
  expect(letter).toMatchObject({ stage: 'parse', field: 'price', original: bad });
  const retry = await http.post(`/dead-letters/${letter.id}/retry`, { set: { price: 2 } });
  expect(retry).toMatchObject({ status: 200, body: { id: letter.id, subject: 'rivulet.events.view.u1' } });
  await counted({ events: 5, on_time: 3, dead_letter: 1 });
  expect((await http.get('/dead-letters?retried=false')).body).toMatchObject({ count: 0 });

  await http.post('/events', view('old', nowMs - HOUR_MS, { category_code: 'a.b', price: 5 }));
  await counted({ events: 6, on_time: 3, late: 1, duplicates: 1, dead_letter: 1 });
  const late = await one('/late-events');
  expect(late).toMatchObject({
    ...{ user_id: 'u1', item_id: 'i1', event_type: 'view', category: 'a.b', price: 5 },
    event_time: new Date(nowMs - HOUR_MS).toISOString(),
  });
  expect(Date.parse(late.window_end)).toBeGreaterThan(nowMs - HOUR_MS);

  const { body } = await http.get('/status');
  expect(body).toMatchObject({ serving: true, reasons: [], partitions: 2, as_of: new Date(nowMs).toISOString() });
  expect(body.requests.http_total).toBeGreaterThan(5);
  const window = body.stages.find(({ stage }: { stage: string }) => stage === 'window');
  expect(window.partitions.map(({ state }: { state: string }) => state)).toEqual(['running', 'running']);
});
