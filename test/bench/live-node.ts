/**
 * A node for benchmarks, in a process of its own that can be killed: what `rivulet start` runs, configured by RIVULET_* variables, saying every
 * second on stdout, as a line of JSON, how far it is.
 */
import { nodeOptions } from '../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../runtime/config/config.js';
import { startNode } from '../../runtime/node/node.js';
import { streamOf } from '../../runtime/contract/graph.js';

/** One line. */
export interface NodeReport {
  readonly natsUrl: string;
  readonly events: number;
  readonly rowsOut: number;
  /** Messages, over all streams, behind the last one that was taken in. */
  readonly waiting: number;
  /** By stage, over all partitions. */
  readonly stages: Readonly<Record<string, { readonly keys: number; readonly snapshotMs: number; busyMs: number }>>;
  /** Longest hold-up of each thread's event loop since the last line, ms. */
  readonly loopDelays: Readonly<Record<string, number>>;
  readonly residentBytes: number;
}

const REPORT_EVERY_MS = 1_000;

async function main(): Promise<void> {
  const { config } = loadConfig({ logLevel: 'warn' });
  const node = await startNode({ ...nodeOptions(config), onProgress: () => undefined });
  void node.failed.then((error) => {
    console.error(error);
    process.exit(1);
  });

  const report = async (): Promise<void> => {
    const loopDelays = Object.fromEntries(node.threads().map(({ thread, loopDelayMs }) => [thread, loopDelayMs]));
    const stages: Record<string, { keys: number; snapshotMs: number; busyMs: number }> = {};
    const taken = new Map<string, number>();
    let [events, rowsOut, waiting] = [0, 0, 0];
    for (const status of node.statuses()) {
      events += status.counters.events;
      rowsOut += status.rowsOut;
      taken.set(status.stage, Math.max(taken.get(status.stage) ?? 0, status.sequence));
      const stage = (stages[status.stage] ??= { keys: 0, snapshotMs: 0, busyMs: 0 });
      stage.keys += status.stateKeys;
      stage.busyMs += status.busyMs;
      stage.snapshotMs = Math.max(stage.snapshotMs, status.snapshotMs);
    }
    for (const [stage, sequence] of taken) waiting += (await node.log.info(streamOf(stage))).lastSequence - sequence;
    const line: NodeReport = {
      ...{ natsUrl: node.nats.url, events, rowsOut, waiting, stages, loopDelays },
      residentBytes: process.memoryUsage.rss(),
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  const reports = setInterval(() => void report().catch(() => undefined), REPORT_EVERY_MS);
  process.on('SIGTERM', () => {
    clearInterval(reports);
    void node.stop(10_000).then(() => process.exit(0));
  });
}

await main();
