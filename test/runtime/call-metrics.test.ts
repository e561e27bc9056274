import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { CallMetrics } from '../../runtime/telemetry/call-metrics.js';

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
