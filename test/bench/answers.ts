/**
 * GetRecommendations beside a bare grpc-js server that returns the same bytes, called by ghz in turns: how many requests per second each answers,
 * and how long one takes at half of the bare one's rate; then the same while events flow into the node. Lists by hybrid (`answers-hybrid`) beside those by
 * category-popularity. ghz, server and node share the machine.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { create, toBinary } from '@bufbuild/protobuf';
import { Client, credentials } from '@grpc/grpc-js';
import { asBuffer, byteServiceDefinition } from '../../connectors/grpc/server/service-definition.js';
import {
  GetRecommendationsRequestSchema,
  RecommendationService,
} from '../../proto/gen/rivulet/v1/recommendation_service_pb.js';
import { GHZ, goTool } from '../support/go-tools.js';
import { BenchNode, fill, pause, spreadUser, userName } from './fleet.js';
import { DIST, loadAverage, ROOT, round, run, say } from './machine.js';

const [GRPC_PORT, NATS_PORT] = [55_064, 55_235];
const [CONCURRENCY, CONNECTIONS] = [32, 4];
const [SECONDS, WARM_UP_SECONDS, ROUNDS, EVENTS_PER_SECOND] = [6, 3, 3, 2_000];
/** Users that are asked for, spread over all: some who come again and again, and so many that their lists are read from disk. */
const [OFTEN, SELDOM] = [1_000, 100_000];
/** Until snapshots are written and LevelDB has sorted them. */
const REST_MS = 15_000;

/** What ghz says of a run; latencies in ns. */
interface Called {
  readonly rps: number;
  readonly statusCodeDistribution: Readonly<Record<string, number>>;
  readonly latencyDistribution: readonly { readonly percentage: number; readonly latency: number }[];
}

interface Asked {
  readonly asked: readonly string[];
  /** The file that ghz reads. */
  readonly requests: string;
}

/** A rate at which hybrid answers are timed, with as many events beside. */
const CALM_PER_SECOND = 1_000;
const CALM_MS = 5_000;

export async function benchAnswers(users: number, what: 'echo' | 'hybrid'): Promise<void> {
  const tool = await goTool(GHZ);
  if ('missing' in tool) {
    say(`\nanswers: left out: ${tool.missing}`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-bench-answers-'));
  const node = BenchNode.start({
    RIVULET_DATA_DIR: join(folder, 'data'),
    RIVULET_GRPC_PORT: String(GRPC_PORT),
    RIVULET_NATS_PORT: String(NATS_PORT),
  });
  const others: ChildProcess[] = [];
  try {
    say(`\nanswers: GetRecommendations, ${users} users, beside a bare grpc-js server (load ${loadAverage()})`);
    await fill(node, users);
    await pause(REST_MS);
    const requestsOf = (count: number, strategy = ''): Asked => {
      const asked = Array.from({ length: count }, (_, n) => userName(spreadUser(n, users)));
      const requests = join(folder, `requests-${count}-${strategy}.json`);
      writeFileSync(requests, JSON.stringify(asked.map((userId) => ({ userId, strategy }))));
      return { asked, requests };
    };
    const [often, seldom] = [requestsOf(OFTEN), requestsOf(SELDOM)];
    const answers = await answersOf(often.asked);
    say(`  an answer has ${Math.round(answers.reduce((sum, { length }) => sum + length, 0) / OFTEN)} bytes`);
    const echo = spawn(process.execPath, [join(DIST, 'test/bench/echo-server.js')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    others.push(echo);
    echo.stdin.end(answers.map((answer) => answer.toString('base64')).join('\n'));
    const [echoPort] = (await once(createInterface({ input: echo.stdout }), 'line')) as [string];
    const askFor =
      ({ requests }: Asked) =>
      (port: number | string, seconds: number, rate = 0): Promise<Called> =>
        called(tool.command, requests, `127.0.0.1:${port}`, seconds, rate);

    const eventsFlow = async (perSecond: number): Promise<ChildProcess> => {
      const { natsUrl } = await node.next();
      const script = [join(DIST, 'test/bench/live-load.js'), natsUrl, perSecond, 3_600, users].map(String);
      const load = spawn(process.execPath, script, { stdio: ['ignore', 'ignore', 'inherit'] });
      others.push(load);
      await pause(REST_MS);
      return load;
    };
    if (what === 'echo') {
      await beside(`${OFTEN} users`, askFor(often), echoPort);
      await beside(`${SELDOM} users`, askFor(seldom), echoPort);
      const load = await eventsFlow(EVENTS_PER_SECOND);
      await beside(`${OFTEN} users, ${EVENTS_PER_SECOND} events/s`, askFor(often), echoPort);
      load.kill('SIGKILL');
      await pause(REST_MS);
    }
    if (what === 'hybrid') {
      for (const count of [OFTEN, SELDOM]) {
        const [popular, hybrid] = [requestsOf(count, 'category-popularity'), requestsOf(count, 'hybrid')].map(askFor);
        await strategies(`${count} users`, popular!, hybrid!);
      }
      await eventsFlow(CALM_PER_SECOND);
      const [popular, hybrid] = ['category-popularity', 'hybrid'].map((one) => askFor(requestsOf(SELDOM, one)));
      await strategies(`${SELDOM} users, ${CALM_PER_SECOND} events/s`, popular!, hybrid!);
    }
  } finally {
    for (const child of others) child.kill('SIGKILL');
    await node.end('SIGTERM');
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function beside(title: string, ask: Ask, echoPort: string): Promise<void> {
  for (const port of [echoPort, GRPC_PORT]) await ask(port, WARM_UP_SECONDS);
  for (let n = 1; n <= ROUNDS; n++) {
    const [bare, ours] = [await ask(echoPort, SECONDS), await ask(GRPC_PORT, SECONDS)];
    const half = Math.floor(bare.rps / 2);
    const [bareHalf, oursHalf] = [await ask(echoPort, SECONDS, half), await ask(GRPC_PORT, SECONDS, half)];
    const [bareMs, oursMs] = [p99Ms(bareHalf), p99Ms(oursHalf)];
    say(
      `  ${title}, round ${n}: ${Math.round(ours.rps)} of ${Math.round(bare.rps)} requests/s (${round(ours.rps / bare.rps, 2)}); ` +
        `p99 at ${half}/s: ${round(oursMs, 2)} of ${round(bareMs, 2)} ms (${round(oursMs / bareMs, 2)}); load ${loadAverage()}`,
    );
  }
}

type Ask = (port: number | string, seconds: number, rate?: number) => Promise<Called>;

/** Lists by hybrid beside those by category-popularity. */
async function strategies(title: string, popular: Ask, hybrid: Ask): Promise<void> {
  for (const ask of [popular, hybrid]) await ask(GRPC_PORT, WARM_UP_SECONDS);
  for (let n = 1; n <= ROUNDS; n++) {
    const [before, now] = [await popular(GRPC_PORT, SECONDS), await hybrid(GRPC_PORT, SECONDS)];
    // What a full rate has left undone is done first.
    await pause(CALM_MS);
    const [calmBefore, calm] = [
      p99Ms(await popular(GRPC_PORT, SECONDS, CALM_PER_SECOND)),
      p99Ms(await hybrid(GRPC_PORT, SECONDS, CALM_PER_SECOND)),
    ];
    say(
      `  hybrid, ${title}, round ${n}: ${Math.round(now.rps)} of ${Math.round(before.rps)} requests/s (${round(now.rps / before.rps, 2)}); ` +
        `p99 at ${CALM_PER_SECOND}/s: ${round(calm, 2)} of ${round(calmBefore, 2)} ms; load ${loadAverage()}`,
    );
  }
}

const p99Ms = ({ latencyDistribution }: Called): number =>
  (latencyDistribution.find(({ percentage }) => percentage === 99)?.latency ?? NaN) / 1e6;

export async function called(
  command: string,
  requests: string,
  address: string,
  seconds: number,
  rate: number,
): Promise<Called> {
  const { stdout } = await run(command, [
    ...['--insecure', '--format', 'json', '--data-file', requests],
    ...['--disable-template-functions', '--disable-template-data'],
    ...['--proto', join(ROOT, 'proto/rivulet/v1/recommendation_service.proto'), '--import-paths', join(ROOT, 'proto')],
    ...['--call', 'rivulet.v1.RecommendationService/GetRecommendations'],
    ...['--concurrency', String(CONCURRENCY), '--connections', String(CONNECTIONS), '--duration', `${seconds}s`],
    // What is under way at the end is waited for, not failed.
    ...['--duration-stop', 'wait'],
    ...(rate === 0 ? [] : ['--rps', String(rate)]),
    address,
  ]);
  const report = JSON.parse(stdout) as Called;
  const failed = Object.keys(report.statusCodeDistribution).filter((code) => code !== 'OK');
  if (failed.length > 0) throw new Error(`calls have failed: ${JSON.stringify(report.statusCodeDistribution)}`);
  return report;
}

/** The bytes that the node answers with. */
async function answersOf(users: readonly string[]): Promise<Buffer[]> {
  const client = new Client(`127.0.0.1:${GRPC_PORT}`, credentials.createInsecure());
  const { path, requestSerialize, responseDeserialize } =
    byteServiceDefinition(RecommendationService).getRecommendations;
  const answers: Buffer[] = [];
  for (const userId of users) {
    const request = asBuffer(
      toBinary(GetRecommendationsRequestSchema, create(GetRecommendationsRequestSchema, { userId })),
    );
    answers.push(
      await new Promise<Buffer>((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (error, answer) =>
          error === null ? resolve(answer!) : reject(error),
        );
      }),
    );
  }
  client.close();
  return answers;
}
