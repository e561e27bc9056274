/** GET /status over a socket. */
import { expect, it } from 'vitest';
import { mainTopology } from '../../actors/topology.js';
import { statusReport as schema } from '../../connectors/http/routes/status-report.js';
import { pipelineOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { statusReport } from '../../runtime/node/status.js';
import { newStatus } from '../../runtime/telemetry/status.js';
import { operationsApp } from '../connectors/http/operations-app.js';

it('is what the schema says, as of now, and kept by nobody', async () => {
  const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
  const topology = mainTopology(pipelineOptions(config));
  const statuses = topology.stages.map(({ id }) => ({ ...newStatus(id, 0), lagMessages: 3 }));
  let nowMs = Date.UTC(2026, 0, 2);
  const report = () =>
    statusReport({
      ...{
        version: '1.2.3',
        subject: 'items',
        node: 'n',
        startedAtMs: nowMs - 1,
        topology,
        statuses: () => statuses,
        children: () => [],
      },
      ...{ health: () => undefined, requests: () => ({ http: 1, grpc: 2 }) },
      answers: () => ({ count: 3, fallback: 1, empty: 0 }),
      ...{ latencies: () => ({ p50Ms: NaN, p99Ms: NaN, count: 0 }), nowMs: () => nowMs },
    });
  const { get, post } = await operationsApp({ status: { report } });
  const first = await get('/status');
  expect([first.status, first.headers.get('cache-control')]).toEqual([200, 'no-store']);
  expect(schema.parse(first.body)).toEqual(first.body);
  expect(first.body.stages[0].partitions[0]).toMatchObject({ partition: 0, state: 'restoring', lag_messages: 3 });
  statuses[0]!.messagesIn = 7;
  nowMs += 2_000;
  const second = await get('/status');
  expect([second.body.now, second.body.stages[0].partitions[0].messages_in]).toEqual(['2026-01-02T00:00:02.000Z', 7]);
  expect(await post('/status')).toMatchObject({ status: 405, body: { reason: 'METHOD_NOT_ALLOWED' } });
});
