/**
 * GET /reco/{user} beside a bare Fastify server that returns the same bytes, asked by autocannon in turns: how many requests per second each
 * answers, and how long one takes at half of ours. Then GetRecommendations (gRPC) with and without a thousand subscribers of /trending/stream.
 * Who asks, server and node share the machine.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { GHZ, goTool } from '../support/go-tools.js';
import { called } from './answers.js';
import { BenchNode, fill, pause, spreadUser, userName } from './fleet.js';
import type { HttpLoad } from './http-load.js';
import { DIST, loadAverage, round, run, say } from './machine.js';

const [GRPC_PORT, HTTP_PORT, NATS_PORT] = [55_066, 55_067, 55_236];
const CONNECTIONS = 32;
const [SECONDS, WARM_UP_SECONDS, ROUNDS, EVENTS_PER_SECOND] = [6, 3, 3, 500];
const [OFTEN, SELDOM] = [1_000, 20_000];
const SUBSCRIBERS = 1_000;
/** Of GetRecommendations beside the subscribers; well below what the node can give. */
const GRPC_RATE = 1_000;
const REST_MS = 10_000;
const NODE = `http://127.0.0.1:${HTTP_PORT}`;

export async function benchHttp(users: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-bench-http-'));
  const node = BenchNode.start({
    RIVULET_DATA_DIR: join(folder, 'data'),
    RIVULET_GRPC_PORT: String(GRPC_PORT),
    RIVULET_HTTP_PORT: String(HTTP_PORT),
    RIVULET_NATS_PORT: String(NATS_PORT),
  });
  const others: ChildProcess[] = [];
  try {
    say(`\nhttp: GET /reco/{user}, ${users} users, beside a bare Fastify server (load ${loadAverage()})`);
    await fill(node, users);
    await pause(REST_MS);
    const asked = (count: number): { readonly file: string; readonly names: string[] } => {
      const names = Array.from({ length: count }, (_, n) => userName(spreadUser(n, users)));
      const file = join(folder, `paths-${count}`);
      writeFileSync(file, names.map((name) => `/reco/${name}`).join('\n'));
      return { file, names };
    };
    const [often, seldom] = [asked(OFTEN), asked(SELDOM)];
    const bodies = await bodiesOf(often.names);
    say(`  an answer has ${Math.round(bodies.reduce((sum, { length }) => sum + length, 0) / OFTEN)} bytes`);
    const echo = spawn(process.execPath, [join(DIST, 'test/bench/http-echo.js')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    others.push(echo);
    echo.stdin.end(bodies.map((body) => body.toString('base64')).join('\n'));
    const [echoPort] = (await once(createInterface({ input: echo.stdout }), 'line')) as [string];
    const bare = `http://127.0.0.1:${echoPort}`;
    await beside(`${OFTEN} users`, often.file, bare);
    await beside(`${SELDOM} users`, seldom.file, bare);
    await besideSubscribers(node, often.names, folder, users, others);
  } finally {
    for (const child of others) child.kill('SIGKILL');
    await node.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function beside(title: string, file: string, bare: string): Promise<void> {
  for (const url of [bare, NODE]) await load(url, file, WARM_UP_SECONDS);
  for (let n = 1; n <= ROUNDS; n++) {
    const [theirs, ours] = [await load(bare, file, SECONDS), await load(NODE, file, SECONDS)];
    const half = Math.floor(ours.rps / 2);
    const atHalf = await load(NODE, file, SECONDS, half);
    say(
      `  ${title}, round ${n}: ${Math.round(ours.rps)} of ${Math.round(theirs.rps)} requests/s (${round(ours.rps / theirs.rps, 2)}); ` +
        `p99 at ${half}/s: ${round(atHalf.p99Ms, 2)} ms; load ${loadAverage()}`,
    );
  }
}

async function load(url: string, file: string, seconds: number, rate = 0): Promise<HttpLoad> {
  const args = [join(DIST, 'test/bench/http-load.js'), url, file, CONNECTIONS, seconds, rate].map(String);
  const { stdout } = await run(process.execPath, args);
  const done = JSON.parse(stdout) as HttpLoad;
  if (done.failed > 0) throw new Error(`${done.failed} requests to ${url} have failed`);
  return done;
}

async function bodiesOf(names: readonly string[]): Promise<Buffer[]> {
  const bodies: Buffer[] = [];
  for (const name of names) {
    const answer = await fetch(`${NODE}/reco/${name}`);
    if (!answer.ok) throw new Error(await answer.text());
    bodies.push(Buffer.from(await answer.arrayBuffer()));
  }
  return bodies;
}

/** While events flow, so that the lists change. */
async function besideSubscribers(
  node: BenchNode,
  names: readonly string[],
  folder: string,
  users: number,
  others: ChildProcess[],
): Promise<void> {
  const tool = await goTool(GHZ);
  if ('missing' in tool) {
    say(`  subscribers: left out: ${tool.missing}`);
    return;
  }
  const requests = join(folder, 'requests.json');
  writeFileSync(requests, JSON.stringify(names.map((userId) => ({ userId }))));
  const { natsUrl } = await node.next();
  const script = [join(DIST, 'test/bench/live-load.js'), natsUrl, EVENTS_PER_SECOND, 3_600, users].map(String);
  others.push(spawn(process.execPath, script, { stdio: ['ignore', 'ignore', 'inherit'] }));
  await pause(REST_MS);
  const ask = () => called(tool.command, requests, `127.0.0.1:${GRPC_PORT}`, SECONDS, GRPC_RATE);
  await ask();
  for (let n = 1; n <= ROUNDS; n++) {
    const without = p99Ms(await ask());
    const subscribers = spawn(
      process.execPath,
      [join(DIST, 'test/bench/http-subscribers.js'), `${NODE}/trending/stream`, String(SUBSCRIBERS)],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    others.push(subscribers);
    const lines = createInterface({ input: subscribers.stdout });
    await once(lines, 'line');
    const beside = p99Ms(await ask());
    const told = once(lines, 'line') as Promise<[string]>;
    subscribers.stdin.end();
    const [counts] = await told;
    await once(subscribers, 'exit');
    say(
      `  ${SUBSCRIBERS} subscribers, round ${n}: p99 of GetRecommendations at ${GRPC_RATE}/s, ${EVENTS_PER_SECOND} events/s: ` +
        `${round(beside, 2)} of ${round(without, 2)} ms (${round(beside / without, 2)}); ${counts}; load ${loadAverage()}`,
    );
  }
}

const p99Ms = ({ latencyDistribution }: Awaited<ReturnType<typeof called>>): number =>
  (latencyDistribution.find(({ percentage }) => percentage === 99)?.latency ?? NaN) / 1e6;
