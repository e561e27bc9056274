/** One trace from a publisher on NATS to a gRPC answer, through a node as people run it, with a tracer that is switched on from outside. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { headers as natsHeaders } from '@nats-io/transport-node';
import { afterAll, afterEach, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { GetRecommendationsRequestSchema } from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { ROOT } from '../guards/source-files.js';
import { eventually } from '../support/eventually.js';
import { startTestNats } from '../support/nats.js';
import { startCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const ending: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});
afterAll(remove);

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PUBLISHER = 'b7ad6b7169203331';
const CALL = 'rivulet.v1.RecommendationService/GetRecommendations';

interface WrittenSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent?: string;
  readonly linked: readonly string[];
  readonly attributes: Readonly<Record<string, string>>;
  readonly threadId: number;
}

it('an event is followed from its publisher through every stage to the answer that it led to', async () => {
  const nats = await startTestNats();
  ending.push(() => nats.stop());
  const file = join(cwd, 'spans.jsonl');
  const node = startCli(cwd, ['start', '--nats-url', nats.url, '--data-dir', 'node', '--grpc-port', '0'], {
    NODE_OPTIONS: `--require ${join(ROOT, 'test', 'support', 'spans-to-file.cjs')}`,
    SPANS_FILE: file,
  });
  ending.push(() => {
    node.child.kill('SIGTERM');
    return node.ended;
  });
  const [, address] = await node.printed(/gRPC on (127\.0\.0\.1:\d+)/);

  const connection = await connectNats({ url: nats.url }, 'publisher');
  ending.push(() => connection.close());
  const headers = natsHeaders();
  headers.set('traceparent', `00-${TRACE}-${PUBLISHER}-01`);
  const event = { event_id: 'e1', event_type: 'purchase', event_time: '2026-11-01T10:00:00Z', user_id: 'u1' };
  const body = JSON.stringify({ ...event, item_id: 'i1', category_code: 'home.chair', price: 5 });
  await connection.request('rivulet.events.purchase.u1', body, { headers, timeout: 10_000 });

  const client = new Client(address!, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
  ending.push(() => client.close());
  let seen: unknown;
  while (seen === undefined) seen = (await initialMetadata(client)).get('rivulet-event-trace')[0];

  const spans = (): WrittenSpan[] =>
    readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as WrittenSpan);
  const { server, ofTrace } = await eventually(() => {
    const found = spans();
    const answered = found.find(({ name, linked }) => name === CALL && linked.length > 0);
    const traced = found.filter(({ traceId }) => traceId === TRACE);
    expect(answered).toBeDefined();
    // A purchase is also counted for its item.
    expect(traced.map(({ name }) => name)).toContain('process popularity');
    return { server: answered!, ofTrace: traced };
  });
  const byId = new Map(ofTrace.map((span) => [span.spanId, span]));
  // From the answer back to the publisher: links lead to the event, parents up to where it came from.
  const path: string[] = [];
  let at = byId.get(server.linked[0]!);
  expect(seen).toBe(`00-${TRACE}-${at?.spanId}-01`);
  for (; at !== undefined; at = byId.get(at.parent!)) {
    path.unshift(at.name);
    if (at.name === 'process parse') expect(at.parent).toBe(PUBLISHER);
  }
  const stages = ['parse', 'watermark', 'window', 'interest-ranking', 'recommendations'];
  expect(path).toEqual(stages.map((stage) => `process ${stage}`));
  // The stages are on threads of their own.
  expect(ofTrace.find(({ name }) => name === 'process parse')!.threadId).toBeGreaterThan(0);
  expect(ofTrace.find(({ name }) => name === 'process window')).toMatchObject({
    kind: 4,
    attributes: {
      'messaging.system': 'nats',
      'messaging.operation.type': 'process',
      'messaging.destination.name': expect.stringMatching(/^rivulet\.window\.\d\.watermark\.\d$/),
      'rivulet.stage': 'window',
    },
  });
});

/** Of an answer that is there: a view that restarts gives none. */
function initialMetadata(client: Client): Promise<Metadata> {
  const request = Buffer.from(
    toBinary(GetRecommendationsRequestSchema, create(GetRecommendationsRequestSchema, { userId: 'u1' })),
  );
  const same = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    client
      .makeUnaryRequest(`/${CALL}`, same, same, request, new Metadata(), (error) => {
        if (error !== null) reject(error);
      })
      .on('metadata', resolve);
  });
}
