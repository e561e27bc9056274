/**
 * A façade for the benchmark of StreamTrending, in a process of its own: a list of which something changes every so many milliseconds, and each
 * second on stdout a line of JSON that tells what it costs. `node --expose-gc trending-node.js <every ms>`; changes begin with a line on stdin.
 */
import { EventReader } from '../../actors/formats/event-reader.js';
import { createInterface } from 'node:readline';
import { systemClock } from '../../runtime/contract/clock.js';
import type { TrendingEntry, TrendingList, TrendingLists } from '../../connectors/facade/ports.js';
import { startGrpcServer } from '../../connectors/grpc/server/server.js';
import { transient } from '../../runtime/contract/errors.js';

/** One line. */
export interface TrendingReport {
  readonly port: number;
  readonly subscribers: number;
  readonly changes: number;
  readonly encoded: number;
  readonly sent: number;
  readonly residentBytes: number;
  /** Objects and buffers: live ones only, as long as there are no changes. */
  readonly usedBytes: number;
}

const ITEMS = 100;
const CHANGED = 3;
const REPORT_EVERY_MS = 1_000;
const HOUR_MS = 3_600_000;

/** As of the wall clock: the subscribers tell from it when a change was made. */
class ChangingList implements TrendingLists {
  readonly rankings = new Set(['score'] as const);
  changes = 0;
  private readonly entries: TrendingEntry[];
  private list: TrendingList;
  private readonly listeners = new Set<() => void>();

  constructor() {
    this.entries = Array.from({ length: ITEMS }, (_, i) => ({
      ...{ itemId: `item-${1_000_000 + i}`, score: 10_000 - i, views: 8_000 - i, clicks: 1_000, velocity: i / 7 },
      category: 'electronics',
    }));
    this.list = this.now();
  }

  get(): TrendingList {
    return this.list;
  }

  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Some items of the first ten count anew, and two change places. */
  change(): void {
    this.changes++;
    for (let i = 0; i < CHANGED; i++) {
      const at = (this.changes * CHANGED + i) % 10;
      const { score, views, ...rest } = this.entries[at]!;
      this.entries[at] = { ...rest, score: score + 1, views: views + 1 };
    }
    const at = this.changes % 9;
    [this.entries[at], this.entries[at + 1]] = [this.entries[at + 1]!, this.entries[at]!];
    this.list = this.now();
    for (const listener of this.listeners) listener();
  }

  private now(): TrendingList {
    const startMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    const window = { startMs, endMs: startMs + HOUR_MS };
    return { revision: this.changes + 1, asOfMs: Date.now(), window, items: [...this.entries] };
  }
}

async function main(): Promise<void> {
  const everyMs = Number(process.argv[2]);
  const list = new ChangingList();
  const server = await startGrpcServer({
    answers: {
      get: () => {
        throw transient('VIEW_RESTORING', 'there are no recommendations here');
      },
    },
    publisher: { publish: () => Promise.resolve() },
    reader: new EventReader(),
    clock: systemClock,
    trending: list,
    port: 0,
  });
  server.setServing(true);
  const report = (): void => {
    // While changes are measured, the collector comes when it comes.
    if (list.changes === 0) globalThis.gc?.();
    const { rss, heapUsed, external } = process.memoryUsage();
    const { subscribers, messagesEncoded, messagesSent } = server.trendingCounts()!;
    const line: TrendingReport = {
      ...{ port: server.port, subscribers, changes: list.changes, encoded: messagesEncoded, sent: messagesSent },
      ...{ residentBytes: rss, usedBytes: heapUsed + external },
    };
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  setInterval(report, REPORT_EVERY_MS);
  createInterface({ input: process.stdin })
    .once('line', () => setInterval(() => list.change(), everyMs))
    .on('close', () => process.exit(0));
}

await main();
