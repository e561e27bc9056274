/**
 * Pauses: the longest time that the event loop of any thread of a live node is held up, with many users in state, while events of all of them
 * come in and a snapshot is written every two seconds.
 *
 * Measured by perf_hooks.monitorEventLoopDelay in each thread (to 5 ms), one maximum per second. It includes garbage collection, and the time in
 * which a thread that is ready to run waits for a core: the load comes from a process on the same machine. What of it is the thread's own work is
 * said beside it, as CPU time.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BenchNode, fill, pause } from './fleet.js';
import { DIST, loadAverage, percentile, round, say } from './machine.js';

const [GRPC_PORT, NATS_PORT] = [55_071, 55_242];
const WARM_UP_SECONDS = 5;

export async function benchPauses(users: number, rate: number, seconds: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-bench-pauses-'));
  const node = BenchNode.start({
    RIVULET_DATA_DIR: dataDir,
    RIVULET_GRPC_PORT: String(GRPC_PORT),
    RIVULET_NATS_PORT: String(NATS_PORT),
    RIVULET_SNAPSHOT_EVERY_SECONDS: '2',
    RIVULET_BENCH_PAUSES: join(dataDir, 'pauses'),
    NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --import=${join(DIST, 'test/bench/cpu-pauses.js')}`,
  });
  say(`\npauses, ${users} users, ${rate} events/s over all of them, a snapshot every 2 s (load ${loadAverage()})`);
  try {
    await fill(node, users);
    const args = [`nats://127.0.0.1:${NATS_PORT}`, String(rate), String(seconds + WARM_UP_SECONDS), String(users)];
    const load = spawn(process.execPath, [join(DIST, 'test/bench/live-load.js'), ...args], { stdio: 'ignore' });
    const maxima = new Map<string, number[]>();
    await pause(WARM_UP_SECONDS * 1000);
    rmSync(join(dataDir, 'pauses'), { force: true });
    await node.next();
    for (let second = 0; second < seconds; second++) {
      const { loopDelays } = await node.next();
      for (const [thread, ms] of Object.entries(loopDelays)) maxima.set(thread, [...(maxima.get(thread) ?? []), ms]);
    }
    const ofCpu = new Map<string, number[]>();
    for (const line of readFileSync(join(dataDir, 'pauses'), 'utf8').trim().split('\n')) {
      const [thread = '', ms] = line.split(' ');
      ofCpu.set(thread, [...(ofCpu.get(thread) ?? []), Number(ms)]);
    }
    for (const [thread, ms] of maxima) {
      const sorted = [...ms].sort((a, b) => a - b);
      const over = ms.filter((one) => one > 50).length;
      const [p50, max] = [percentile(sorted, 0.5), sorted.at(-1) ?? NaN];
      say(
        `  ${thread}: longest ${round(max)} ms, median of the seconds ${round(p50)} ms, ${over} of ${ms.length} over 50 ms`,
      );
    }
    for (const [thread, ms] of ofCpu) {
      const over = ms.filter((one) => one > 50).length;
      say(`  thread ${thread}: longest ${round(Math.max(...ms))} ms of CPU, ${over} of ${ms.length} over 50 ms`);
    }
    const { residentBytes, stages } = node.last!;
    const slow = Object.entries(stages).map(
      ([stage, { keys, snapshotMs }]) => `${stage} ${keys}/${round(snapshotMs, 0)}`,
    );
    say(
      `  node ${Math.round(residentBytes / 1e6)} MB; keys in memory/last snapshot, ms: ${slow.join(', ')}; load ${loadAverage()}`,
    );
    if (load.exitCode === null) await once(load, 'exit');
  } finally {
    await node.end('SIGTERM');
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
  }
}
