/**
 * StreamTrending: subscribers in one process, the façade in another, a change at a steady pace. How long until each subscriber has it, what a
 * subscriber costs in memory, how often a message is encoded.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { cpuSeconds, DIST, loadAverage, round, say } from './machine.js';
import type { TrendingReport } from './trending-node.js';
import type { SubscribersReport } from './trending-subscribers.js';

const kilobytes = (bytes: number): string => `${round(bytes / 1024)} KB`;

/** A child that prints lines of JSON. */
class Reporter<T> {
  private onReport: ((report: T) => void) | undefined;
  private onEnd: ((error: Error) => void) | undefined;

  private constructor(readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on('line', (line) => this.onReport?.(JSON.parse(line) as T));
    child.on('exit', (code) => this.onEnd?.(new Error(`a process of the benchmark has ended with ${String(code)}`)));
  }

  static start<T>(script: string, args: readonly (string | number)[]): Reporter<T> {
    const argv = ['--expose-gc', join(DIST, `test/bench/${script}.js`), ...args.map(String)];
    return new Reporter(spawn(process.execPath, argv, { stdio: ['pipe', 'pipe', 'inherit'] }));
  }

  next(): Promise<T> {
    return new Promise((resolve, reject) => {
      this.onReport = resolve;
      this.onEnd = reject;
    });
  }
}

export async function benchTrendingStream(
  subscribers: number,
  connections: number,
  everyMs: number,
  seconds: number,
): Promise<void> {
  const node = Reporter.start<TrendingReport>('trending-node', [everyMs]);
  try {
    const empty = await node.next();
    const address = `127.0.0.1:${empty.port}`;
    const readers = Reporter.start<SubscribersReport>('trending-subscribers', [
      ...[address, subscribers, connections, everyMs, seconds],
    ]);
    await readers.next();
    const standing = await node.next();
    const cpuBefore = cpuSeconds(node.child.pid!);
    node.child.stdin!.write('\n');
    const measured = readers.next();
    let last = standing;
    let result: SubscribersReport | undefined;
    void measured.then((report) => (result = report));
    while (result === undefined) {
      const report = await node.next();
      if (report.subscribers === subscribers) last = report;
    }
    const cpu = cpuSeconds(node.child.pid!) - cpuBefore;
    const each = (pick: 'residentBytes' | 'usedBytes', at: TrendingReport): string =>
      kilobytes((at[pick] - empty[pick]) / subscribers);
    say(`\ntrending-stream: ${subscribers} subscribers on ${connections} connections, a change every ${everyMs} ms`);
    say(`  change → received   p50 ${result.p50Ms} ms   p99 ${result.p99Ms} ms   max ${result.maxMs} ms`);
    say(`  measured            ${result.changes} changes in ${result.messages} messages, in ${seconds} s`);
    say(`  encoded per change  ${round((last.encoded - standing.encoded) / (last.changes || 1), 2)}`);
    say(`  memory of each      in use ${each('usedBytes', standing)}, resident ${each('residentBytes', standing)}`);
    say(`    after the changes resident ${each('residentBytes', last)}`);
    say(`  CPU                 node ${round(cpu)} s, subscribers ${round(result.cpuSeconds)} s; load ${loadAverage()}`);
  } finally {
    node.child.kill('SIGTERM');
    await once(node.child, 'exit');
  }
}
