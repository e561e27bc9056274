/** What the doctor makes of what a node says over HTTP: a real server, with answers as a node gives them. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type HttpCheckOptions, httpFindings } from '../../../runtime/cli/doctor/http.js';
import { loadFinding } from '../../../runtime/cli/doctor/machine.js';
import type { InstanceStatus, StatusResponse } from '../../../runtime/cli/doctor/pipeline.js';

type Body = Readonly<Record<string, unknown>> | string;
type Answers = Readonly<Record<string, readonly { readonly code?: number; readonly body: Body }[]>>;

const SERVING = { status: 'serving', version: '1.2.3', reasons: [] };
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Each path's answers one after the other, the last for ever. `asked`: what was asked, with the token. */
async function node(answers: Answers): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const counts = new Map<string, number>();
  const server = createServer(({ url = '', headers }, response) => {
    asked.push(`${url} ${headers.authorization ?? ''}`.trim());
    const count = counts.get(url) ?? 0;
    counts.set(url, count + 1);
    const all = answers[url] ?? [{ code: 404, body: {} }];
    const { code = 200, body } = all[Math.min(count, all.length - 1)]!;
    response.writeHead(code).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, asked };
}

async function said(answers: Answers, options: HttpCheckOptions = {}): Promise<string[]> {
  const { port } = await node(answers);
  const place = { host: '127.0.0.1', port };
  // As long as it takes for a rate that is not by chance.
  const findings = await httpFindings(place, { sampleAfterMs: 50, load: { average: 1, cores: 2 }, ...options });
  return findings.map(({ state, message, fix }) => `${state}: ${message.replaceAll(`:${port}`, '')} → ${fix ?? ''}`);
}

const well: InstanceStatus = { partition: 2, state: 'running', messages_in: 10, busy_seconds: 0, restarts: 0 };
const status = (partition: Partial<InstanceStatus>, counters: Partial<StatusResponse['counters']> = {}) => ({
  body: {
    stages: [{ stage: 'window', partitions: [{ ...well, ...partition }] }],
    counters: { events: 1_000, late: 0, dead_letter: 0, ...counters },
  },
});
const looks = (...both: [ReturnType<typeof status>, ReturnType<typeof status>]): Promise<string[]> =>
  said({ '/health': [{ body: SERVING }], '/status': both });

describe('the doctor on HTTP', () => {
  it('is content with a node that serves, and says that no stage is behind', async () => {
    expect(await looks(status({}), status({ messages_in: 20, lag_messages: 3, lag_seconds: 1 }))).toEqual([
      'ok: a node (1.2.3) answers on http://127.0.0.1: serving → ',
      'ok: all 1 instances of 1 stages run, and none is behind → ',
    ]);
  });

  it('says why a node does not serve, and of what to look after', async () => {
    const reasons = ['NATS is unreachable for 12 s', 'window.2 is backoff for 3 s'];
    const dependencies = { nats: { status: 'down', url: 'nats://nats:4222' } };
    const [first] = await said({ '/health': [{ code: 503, body: { status: 'degraded', reasons, dependencies } }] });
    expect(first).toBe(
      'broken: a node answers on http://127.0.0.1, and is not serving (degraded): NATS is unreachable for 12 s; window.2 is backoff for 3 s → see that NATS runs at nats://nats:4222',
    );
    expect(await said({ '/health': [{ code: 503, body: { status: 'starting' } }] })).toEqual([
      'warning: a node answers on http://127.0.0.1, and is not serving (starting) → ask again in a moment',
    ]);
  });

  it('knows a program of others', async () => {
    expect(await said({ '/health': [{ body: '<html>' }] })).toEqual([
      'broken: another program listens on 127.0.0.1: it answers GET /health with 200, not as a node does → stop it, or choose another port with --http-port or RIVULET_HTTP_PORT',
    ]);
  });

  it('asks for how the stages are with the token, and says when it needs one', async () => {
    const answers = { '/health': [{ body: SERVING }], '/status': [{ code: 401, body: {} }] };
    expect((await said(answers))[1]).toBe(
      'warning: the status of the stages requires a token → set RIVULET_TOKEN and run this again',
    );
    const { port, asked } = await node({ ...answers, '/status': [status({})] });
    await httpFindings({ host: '127.0.0.1', port }, { token: 'abc', sampleAfterMs: 1 });
    // Who listens is found out first.
    expect(asked).toEqual(['/health', '/health', '/status Bearer abc', '/status Bearer abc']);
  });

  it.each<[string, Partial<InstanceStatus>, Partial<InstanceStatus>, RegExp]>([
    [
      'stands still',
      { lag_messages: 11_000, lag_seconds: 39 },
      { lag_messages: 12_000, lag_seconds: 40 },
      /^broken: window 2 is 12,000 messages \(40 s\) behind: it takes nothing in → it waits for NATS/,
    ],
    [
      'has too much to do',
      { lag_messages: 11_000, lag_seconds: 39 },
      { lag_messages: 12_000, lag_seconds: 40, messages_in: 900, busy_seconds: 60 },
      /^warning: window 2 is 12,000 messages \(40 s\) behind: it takes in [\d,]+ messages\/s, and has no time for more → more nodes/,
    ],
    [
      'waits',
      { lag_messages: 11_000, lag_seconds: 39 },
      { lag_messages: 12_000, lag_seconds: 40, messages_in: 900 },
      /^warning: window 2 is 12,000 messages \(40 s\) behind: it takes in [\d,]+ messages\/s → more --threads/,
    ],
    [
      'catches up',
      { lag_messages: 12_000, lag_seconds: 40 },
      { lag_messages: 2_000, lag_seconds: 20, messages_in: 900 },
      /^warning: window 2 is 2,000 messages \(20 s\) behind: .*, and catches up → nothing/,
    ],
    [
      'fails',
      {},
      { state: 'backoff', restarts: 3, last_error: 'no \u001b[31mgood' },
      /^broken: window 2 waits to be started again: no \\x1b\[31mgood → see the log/,
    ],
    [
      'restarts',
      { restarts: 3 },
      { restarts: 4, last_error: 'boom' },
      /^broken: window 2 restarts again and again \(4 times so far\): boom → see the log/,
    ],
    ['restores', {}, { state: 'restoring' }, /^warning: window 2 restores its state → nothing/],
  ])('tells in words of a stage that %s', async (_, before, after, words) => {
    const findings = await looks(status(before), status(after));
    expect(findings.slice(1)).toEqual([expect.stringMatching(words)]);
  });

  it('names the load of the machine before threads and disks', async () => {
    const before = status({ lag_messages: 11_000, lag_seconds: 39 });
    const after = status({ lag_messages: 12_000, lag_seconds: 40, messages_in: 900 });
    const answers = { '/health': [{ body: SERVING }], '/status': [before, after] };
    const findings = await said(answers, { load: { average: 40, cores: 2 } });
    expect(findings[1]).toMatch(/, on a machine whose load is 40\.0 with 2 cores → end what else runs there/);
    const [quiet, busy] = [4, 5].map((average) => loadFinding({ average, cores: 2 }).state);
    expect([quiet, busy]).toEqual(['ok', 'warning']);
  });

  it('tells of events that are refused or late while it looks, not of old ones', async () => {
    const before = { dead_letter: 90, late: 100 };
    expect(await looks(status({}, before), status({}, before))).toHaveLength(2);
    const findings = await looks(status({}, before), status({}, { events: 1_100, dead_letter: 93, late: 110 }));
    expect(findings.slice(1)).toEqual([
      'warning: dead letters rise: 3 of the last 100 events were refused, 93 in all → see which, and why: rivulet dlq ls',
      expect.stringMatching(/^warning: 10 % of the events were late/),
    ]);
  });
});
