/** GET /, /health and /metrics, over real sockets. */
import { describe, expect, it } from 'vitest';
import type { HealthReport } from '../../connectors/http/routes/health-report.js';
import { HEALTHY, httpFacade, problemOf, REPORTS } from '../connectors/http/http-facade.js';

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('GET /', () => {
  it('tells a program what this is and where to look', async () => {
    const { ask } = await httpFacade();
    for (const accept of ['*/*', 'application/json', 'application/json, text/html', '']) {
      const answer = await ask('/', { headers: { accept } });
      expect(answer.status, accept).toBe(200);
      expect(answer.json).toMatchObject({
        ...{ name: 'rivulet', version: '1.2.3', description: expect.stringMatching(/recommendation/) },
        links: { docs: '/docs', openapi: '/openapi.json', health: '/health', metrics: '/metrics', page: '/ui/' },
      });
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        vary: expect.stringMatching(/accept/i),
        'x-request-id': expect.any(String),
      });
    }
  });

  it('sends a browser to the page', async () => {
    const { ask } = await httpFacade();
    const { status, headers } = await ask('/', { headers: { accept: BROWSER } });
    expect({ status, location: headers.location }).toEqual({ status: 303, location: '/ui/' });
  });
});

describe('GET /health', () => {
  it.each(['serving', 'degraded'] as const)('is 200 while the node is %s', async (status) => {
    const { ask } = await httpFacade({ reports: reportsOf({ status }) });
    const answer = await ask('/health');
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ version: '1.2.3', ...HEALTHY, status });
    expect(answer.headers['cache-control']).toBe('no-store');
  });

  it('tells who calls the node by a name that it has not the status alone', async () => {
    const { ask } = await httpFacade();
    const answer = await ask('/health', { headers: { host: 'evil.example' } });
    expect([answer.status, answer.json]).toEqual([200, { status: 'serving' }]);
  });

  it.each(['starting', 'unavailable', 'stopping'] as const)('is 503 while it is %s, and says why', async (status) => {
    const reasons = ['stage window: 1 of 4 partitions is restored'];
    const { ask } = await httpFacade({ reports: reportsOf({ status, reasons }) });
    const answer = await ask('/health');
    expect(answer.status).toBe(503);
    expect(answer.json).toMatchObject({ status, reasons, node: 'node-a' });
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });
});

describe('GET /metrics', () => {
  it('is the text of Prometheus, as it is', async () => {
    const { ask } = await httpFacade();
    const { contentType, text } = await REPORTS.metrics();
    const answer = await ask('/metrics');
    expect(answer).toMatchObject({ status: 200, text });
    expect(answer.headers).toMatchObject({ 'content-type': contentType, 'cache-control': 'no-store' });
  });

  it('that cannot be made is a 500 that tells nothing of the inside', async () => {
    const metrics = () => Promise.reject(new Error('password=hunter2'));
    const { ask } = await httpFacade({ reports: { ...REPORTS, metrics } });
    const answer = await ask('/metrics');
    expect(problemOf(answer, 500).reason).toBe('INTERNAL');
    expect(answer.text).not.toContain('hunter2');
  });
});

describe('HEAD', () => {
  it.each(['/', '/health', '/metrics', '/reco/512', '/trending'])(
    '%s has the headers of GET, and no body',
    async (path) => {
      const { ask } = await httpFacade();
      const [get, head] = [await ask(path), await ask(path, { method: 'HEAD' })];
      expect(head.text).toBe('');
      const changing = { date: undefined, 'x-request-id': undefined, 'keep-alive': undefined };
      expect({ status: head.status, ...head.headers, ...changing }).toEqual({
        status: 200,
        ...get.headers,
        ...changing,
      });
      expect(head.headers['content-length']).toBe(String(Buffer.byteLength(get.text)));
    },
  );
});

const reportsOf = (health: Partial<HealthReport>) => ({ ...REPORTS, health: () => ({ ...HEALTHY, ...health }) });
