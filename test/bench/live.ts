/**
 * Live latency: an event is published with a plain NATS client; how long until GetRecommendations over gRPC gives a changed list?
 *
 * Load and node are processes of their own; this one publishes probes (each of a new user) and asks until the list is the user's own. The
 * asking is part of the figure: a call's duration and the pause between two, about two milliseconds.
 *
 * And what an event costs: CPU time of the node, and of its nats-server, per event of the load. The asking is part of that, too. To compare with
 * another build: RIVULET_BENCH_CLI=/other/checkout/dist/bin/rivulet.js
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '@nats-io/transport-node';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { pause } from './fleet.js';
import { childrenOf, CLI, cpuSeconds, DIST, percentile, round, say } from './machine.js';

const WARM_UP_MS = 5_000;
const PROBE_EVERY_MS = 25;
/** Asking without a pause would take a core for itself. */
const ASK_EVERY_MS = 1;
const GIVE_UP_MS = 5_000;

export async function benchLive(rate: number, seconds: number): Promise<void> {
  const extra = (process.env.RIVULET_BENCH_ARGS ?? '').split(' ').filter((arg) => arg !== '');
  const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-bench-live-'));
  const [grpcPort, natsPort] = [55_051, 55_222];
  const ports = ['--grpc-port', String(grpcPort), '--nats-port', String(natsPort), '--http-port', '0'];
  const args = ['start', '--data-dir', dataDir, ...ports, ...extra];
  const node = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  const url = `nats://127.0.0.1:${natsPort}`;
  const client = await connectRivulet(`127.0.0.1:${grpcPort}`);
  try {
    while ((await client.health().catch(() => 'UNKNOWN')) !== 'SERVING') await pause(100);
    const load = spawn(process.execPath, [join(DIST, 'test/bench/live-load.js'), url, String(rate), String(seconds)]);
    await pause(WARM_UP_MS);
    const cpuPerEvent = cpuMeter(node.pid!, rate);
    const endMs = performance.now() + seconds * 1000 - WARM_UP_MS;
    const latencies = await probeLatencies(client, url, () => performance.now() >= endMs);
    const cost = cpuPerEvent();
    if (load.exitCode === null) await new Promise((done) => load.on('exit', done));
    say(`\nlive, ${rate} events/s: published → changed recommendation readable over gRPC (${latencies.length} probes)`);
    say(`  CPU per event: ${cost}`);
    say(`  ${percentiles(latencies)}`);
  } finally {
    client.close();
    node.kill('SIGTERM');
    await new Promise((done) => node.on('exit', done));
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** Publishes events of new users, one after the other, until `isOver`: ms until the list of each is its own, ascending. */
export async function probeLatencies(client: RivuletClient, url: string, isOver: () => boolean): Promise<number[]> {
  const latencies: number[] = [];
  const connection = await connect({ servers: url });
  while (!isOver()) {
    const userId = `probe-${randomUUID()}`;
    const startedMs = performance.now();
    const event = {
      event_type: 'view',
      event_time: new Date().toISOString(),
      user_id: userId,
      item_id: 'item-1',
      category_code: 'electronics.audio',
    };
    connection.publish(`rivulet.events.view.${userId}`, JSON.stringify(event));
    while (performance.now() - startedMs < GIVE_UP_MS) {
      const { items } = await client.getRecommendations({ userId });
      if (items[0]?.type === 'streaming_category_popularity') break;
      await pause(ASK_EVERY_MS);
    }
    latencies.push(performance.now() - startedMs);
    await pause(PROBE_EVERY_MS);
  }
  await connection.close();
  return latencies.sort((a, b) => a - b);
}

/** Of latencies in ms, ascending. */
export function percentiles(latencies: readonly number[]): string {
  const at = (share: number): string => `${round(percentile(latencies, share))} ms`;
  return `p50 ${at(0.5)}   p90 ${at(0.9)}   p99 ${at(0.99)}   max ${round(latencies.at(-1) ?? NaN)} ms`;
}

/** CPU time from now until it is called, per event at this rate. */
function cpuMeter(node: number, rate: number): () => string {
  const pids = [node, ...childrenOf(node)];
  const before = pids.map(cpuSeconds);
  const startedMs = performance.now();
  return () => {
    const events = ((performance.now() - startedMs) / 1000) * rate;
    const [ofNode = NaN, ...ofServers] = pids.map((pid, i) => ((cpuSeconds(pid) - before[i]!) / events) * 1e6);
    return `node ${round(ofNode, 0)} µs, nats-server ${round(
      ofServers.reduce((sum, micros) => sum + micros, 0),
      0,
    )} µs`;
  };
}
