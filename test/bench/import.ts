/**
 * `rivulet import events` beside a running node: events per second until every stage has processed them, and what it does to live events: published →
 * changed recommendation readable over gRPC, before and during it, at LIVE_RATE events/s. Memory is that of the node and its nats-server, sampled.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { pause } from './fleet.js';
import { percentiles, probeLatencies } from './live.js';
import { childrenOf, CLI, cpuSeconds, DIST, megabytes, round, run, say, treeBytes } from './machine.js';

const LIVE_RATE = 200;
const LIVE_SECONDS_MAX = 600;
const BEFORE_MS = 10_000;
const SAMPLE_EVERY_MS = 250;
const DAYS = 60;
const ITEMS = 4_000;
const CATEGORIES = ['electronics.audio', 'appliances.kitchen', 'apparel.shoes', 'computers.notebook', 'kids.toys'];

export interface Past {
  readonly events: number;
  readonly users: number;
  readonly order: 'user' | 'time';
}

export async function benchImport({ events, users, order }: Past): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-bench-import-'));
  const past = join(dataDir, 'past.csv');
  await pipeline(linesOf({ events, users, order }), createWriteStream(past));
  const [grpcPort, natsPort] = [55_055, 55_225];
  const ports = ['--grpc-port', String(grpcPort), '--nats-port', String(natsPort), '--http-port', '0'];
  const node = spawn(process.execPath, [CLI, 'start', '--data-dir', dataDir, ...ports, '--log-level', 'warn'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const url = `nats://127.0.0.1:${natsPort}`;
  const client = await connectRivulet(`127.0.0.1:${grpcPort}`);
  let bytesMax = 0;
  const sampling = setInterval(() => (bytesMax = Math.max(bytesMax, treeBytes(node.pid!))), SAMPLE_EVERY_MS);
  const load = spawn(process.execPath, [
    join(DIST, 'test/bench/live-load.js'),
    ...[url, String(LIVE_RATE), String(LIVE_SECONDS_MAX)],
  ]);
  try {
    while ((await client.health().catch(() => 'UNKNOWN')) !== 'SERVING') await pause(100);
    const endMs = performance.now() + BEFORE_MS;
    const before = await probeLatencies(client, url, () => performance.now() >= endMs);
    const bytesBefore = bytesMax;

    const pids = [node.pid!, ...childrenOf(node.pid!)];
    const cpuBefore = pids.map(cpuSeconds);
    let isDone = false;
    const importing = run(process.execPath, [CLI, 'import', 'events', past, '--data-dir', dataDir, '--json']).finally(
      () => (isDone = true),
    );
    const [{ seconds }, during] = await Promise.all([importing, probeLatencies(client, url, () => isDone)]);
    const [ofNode, ofServer] = pids.map((pid, i) => ((cpuSeconds(pid) - cpuBefore[i]!) / events) * 1e6);

    say(`\nimport of ${events} events of ${users} users, by ${order}, beside ${LIVE_RATE} live events/s`);
    say(
      `  ${round(events / seconds, 0)} events/s (${round(seconds)} s); CPU per event: ${round(ofNode!)}, ${round(ofServer!)} µs`,
    );
    say(`  node and nats-server: at most ${megabytes(bytesBefore)} before, ${megabytes(bytesMax)} during it`);
    say(`  live events before: ${percentiles(before)}`);
    say(`  live events during: ${percentiles(during)}   (${during.length} probes)`);
  } finally {
    clearInterval(sampling);
    load.kill('SIGTERM');
    client.close();
    node.kill('SIGTERM');
    await new Promise((done) => node.on('exit', done));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Blocks of CSV. Weyl sequences spread events over users and items, the same in every run. */
function* linesOf({ events, users, order }: Past): Generator<string> {
  const startMs = Date.now() - (DAYS + 1) * 86_400_000;
  let block = 'event_time,event_type,product_id,category_code,price,user_id\n';
  for (let n = 0; n < events; n++) {
    const user =
      order === 'user' ? Math.floor((n / events) * users) : Math.floor(((n * 0.618033988749895) % 1) * users);
    const item = Math.floor(((n * 0.754877666246693) % 1) ** 2 * ITEMS);
    const time = new Date(startMs + (n / events) * DAYS * 86_400_000).toISOString();
    const type = n % 50 === 0 ? 'purchase' : n % 20 === 0 ? 'cart' : 'view';
    block += `${time},${type},item-${item},${CATEGORIES[item % CATEGORIES.length]!},${10 + (item % 90)},user-${user}\n`;
    if (block.length > 65_536) {
      yield block;
      block = '';
    }
  }
  yield block;
}
