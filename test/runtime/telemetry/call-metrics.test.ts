import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { RequestMetrics } from '../../../runtime/request-metrics.js';

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
