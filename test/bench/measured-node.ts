/** A node as people start it, in a process of its own, and what it costs: CPU of node, nats-server and load apart, messages and rows between stages. */
import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectRivulet, type RivuletClient } from '../../connectors/grpc/client/client.js';
import { freePort } from '../support/live-nodes.js';
import { pause } from './fleet.js';
import { childrenOf, CLI, cpuSeconds, DIST, round } from './machine.js';

/** How a node runs. */
export interface Plan {
  readonly partitions: number;
  readonly chaining: boolean;
}

export const planText = ({ partitions, chaining }: Plan): string =>
  `${partitions} ${partitions === 1 ? 'partition' : 'partitions'}, chaining ${chaining ? 'on' : 'off'}`;

const TAKEN_IN = ['rivulet_events_total', 'stage="parse"'] as const;
const REFRESHED_WITHIN_MS = 2_000;
const ASK_EVERY_MS = 100;

/** So far. CPU in seconds; NaN where there is no /proc. */
export interface Totals {
  readonly atMs: number;
  readonly nodeCpu: number;
  readonly serverCpu: number;
  /** Taken in by parse. */
  readonly events: number;
  /** Published by stages, and the rows in them. */
  readonly messages: number;
  readonly rows: number;
}

/** Between two totals. CPU in µs per event. */
export interface Cost {
  readonly eventsPerSecond: number;
  readonly nodeMicros: number;
  readonly serverMicros: number;
  readonly loadMicros: number;
  readonly messagesPerEvent: number;
  readonly rowsPerEvent: number;
}

export class MeasuredNode {
  private constructor(
    readonly process: ChildProcess,
    readonly natsUrl: string,
    readonly client: RivuletClient,
    private readonly httpPort: number,
    readonly dataDir: string,
  ) {}

  /** Serving. RIVULET_BENCH_ARGS are further arguments. */
  static async start({ partitions, chaining }: Plan): Promise<MeasuredNode> {
    const dataDir = mkdtempSync(join(tmpdir(), 'rivulet-bench-'));
    const [grpcPort, natsPort, httpPort] = [await freePort(), await freePort(), await freePort()];
    const extra = (process.env.RIVULET_BENCH_ARGS ?? '').split(' ').filter((arg) => arg !== '');
    const args = [
      ...['start', '--data-dir', dataDir, '--log-level', 'warn', '--partitions', String(partitions)],
      ...['--grpc-port', String(grpcPort), '--nats-port', String(natsPort), '--http-port', String(httpPort)],
      // A build to compare with may not have it.
      ...(chaining ? ['--set', 'pipeline.chaining=on'] : []),
    ];
    const child = spawn(process.execPath, [CLI, ...args, ...extra], { stdio: ['ignore', 'ignore', 'inherit'] });
    const client = await connectRivulet(`127.0.0.1:${grpcPort}`);
    const node = new MeasuredNode(child, `nats://127.0.0.1:${natsPort}`, client, httpPort, dataDir);
    try {
      while ((await client.health().catch(() => 'UNKNOWN')) !== 'SERVING') {
        if (child.exitCode !== null) throw new Error(`the node has ended with ${child.exitCode}`);
        await pause(100);
      }
    } catch (error) {
      await node.stop();
      throw error;
    }
    return node;
  }

  /** The node's counters are refreshed every second: right behind a refresh, while events come. */
  async totals(): Promise<Totals> {
    const taken = (await this.now()).events;
    const endMs = performance.now() + REFRESHED_WITHIN_MS;
    for (;;) {
      const totals = await this.now();
      if (totals.events !== taken || totals.atMs > endMs) return totals;
      await pause(ASK_EVERY_MS);
    }
  }

  private async now(): Promise<Totals> {
    const sum = await this.metrics();
    const pid = this.process.pid!;
    return {
      atMs: performance.now(),
      nodeCpu: cpuSeconds(pid),
      serverCpu: childrenOf(pid).reduce((seconds, child) => seconds + cpuSeconds(child), 0),
      events: sum(...TAKEN_IN),
      messages: sum('rivulet_stage_messages_out_total'),
      rows: sum('rivulet_stage_rows_out_total'),
    };
  }

  /** Events that parse has taken in, and messages that wait for stages, as of the last second or two. */
  async progress(): Promise<{ readonly events: number; readonly waiting: number }> {
    const sum = await this.metrics();
    return { events: sum(...TAKEN_IN), waiting: sum('rivulet_stage_mailbox_lag_messages') };
  }

  /** Load from a process of its own while `during` runs; see live-load.ts. Throws when it ends before. */
  async loaded(
    { rate, seconds, users }: { readonly rate: number; readonly seconds: number; readonly users?: number },
    during: (load: ChildProcess) => Promise<void>,
  ): Promise<void> {
    const args = [this.natsUrl, rate, seconds, ...(users === undefined ? [] : [users])].map(String);
    const stdio: StdioOptions = ['ignore', 'ignore', 'inherit'];
    const load = spawn(process.execPath, [join(DIST, 'test/bench/live-load.js'), ...args], { stdio });
    try {
      await during(load);
      if (load.exitCode !== null) throw new Error(`the load has ended with ${load.exitCode}`);
    } finally {
      await end(load);
    }
  }

  async stop(): Promise<void> {
    this.client.close();
    await end(this.process);
    rmSync(this.dataDir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Sums of a metric over its labels. */
  async metrics(): Promise<(name: string, label?: string) => number> {
    const response = await fetch(`http://127.0.0.1:${this.httpPort}/metrics`);
    if (!response.ok) throw new Error(`GET /metrics: ${response.status}`);
    const lines = (await response.text()).split('\n');
    return (name, label = '') =>
      lines
        .filter((line) => line.startsWith(`${name}{`) && line.includes(label))
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** `loadCpu`: seconds of the process that published, in the same time. */
export function costBetween(from: Totals, to: Totals, loadCpu: number): Cost {
  const events = to.events - from.events;
  const micros = (seconds: number): number => (seconds / events) * 1e6;
  return {
    eventsPerSecond: (events / (to.atMs - from.atMs)) * 1000,
    nodeMicros: micros(to.nodeCpu - from.nodeCpu),
    serverMicros: micros(to.serverCpu - from.serverCpu),
    loadMicros: micros(loadCpu),
    messagesPerEvent: (to.messages - from.messages) / events,
    rowsPerEvent: (to.rows - from.rows) / events,
  };
}

export const costText = (cost: Cost): string =>
  `${round(cost.eventsPerSecond, 0)} events/s; CPU per event: node ${round(cost.nodeMicros)} µs, nats-server ${round(cost.serverMicros)} µs, ` +
  `load ${round(cost.loadMicros)} µs; ${round(cost.messagesPerEvent, 3)} messages and ${round(cost.rowsPerEvent)} rows per event`;
