import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { CallMetrics, RequestMetrics } from '../../../runtime/telemetry/call-metrics.js';

it('durations of calls are a histogram by method', async () => {
  const registry = new Registry();
  const metrics = new CallMetrics(registry);
  const call = { method: 'shop.v1.Shop/Get', kind: 'unary' };
  for (const ms of [0.2, 3, 3, 60_000]) {
    metrics.began(call);
    metrics.ended({ ...call, code: 'OK', ms });
  }
  const lines = (await registry.getSingleMetricAsString('grpc_server_handling_seconds')).split('\n');
  const labels = 'grpc_type="unary",grpc_service="shop.v1.Shop",grpc_method="Get"';
  const bucket = (le: string) => lines.find((line) => line.includes(`le="${le}",${labels}`))?.split(' ')[1];
  expect(lines).toContain('# TYPE grpc_server_handling_seconds histogram');
  expect(['0.0002', '0.0025', '0.005', '30', '+Inf'].map(bucket)).toEqual(['1', '1', '3', '3', '4']);
  expect(lines).toContain(`grpc_server_handling_seconds_sum{${labels}} 60.0062`);
  expect(lines).toContain(`grpc_server_handling_seconds_count{${labels}} 4`);
});

it('requests are counted by route and status, with those under way and how long they took', async () => {
  const registry = new Registry();
  const metrics = new RequestMetrics(registry);
  const route = 'GET /reco/{user_id}';
  for (const [status, ms] of [
    [200, 0.4],
    [200, 3],
    [404, 3],
  ] as const) {
    metrics.began(route);
    metrics.ended(route, status, ms);
  }
  metrics.began(route);
  const text = await registry.metrics();
  const labels = 'method="GET",route="/reco/{user_id}"';
  for (const line of [
    `http_server_requests_total{${labels},status="200"} 2`,
    `http_server_requests_total{${labels},status="404"} 1`,
    `http_server_in_flight{${labels}} 1`,
    '# TYPE http_server_request_seconds histogram',
    `http_server_request_seconds_bucket{le="0.0005",${labels}} 1`,
    `http_server_request_seconds_bucket{le="0.005",${labels}} 3`,
    `http_server_request_seconds_count{${labels}} 3`,
  ]) {
    expect(text).toContain(line);
  }
  expect(metrics.total).toBe(3);
});

it('whatever is passed in, there are only so many routes', async () => {
  const registry = new Registry();
  const metrics = new RequestMetrics(registry);
  for (let i = 0; i < 1_000; i++) {
    metrics.began(`GET /made-up/${i}`);
    metrics.ended(`GET /made-up/${i}`, 404, 1);
  }
  const counts = (await registry.metrics()).match(/^http_server_requests_total\{.*$/gm)!;
  expect(counts).toHaveLength(101);
  expect(counts.at(-1)).toBe('http_server_requests_total{method="*",route="*",status="404"} 900');
});
