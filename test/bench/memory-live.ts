/**
 * Memory and disk of a live node at a steady rate, minute after minute: does it level out, and at what. Linux only, it reads /proc.
 *
 *   heap       JavaScript heap in use, of all threads
 *   other      what else of the node's memory is no file: free heap pages, buffers, LevelDB's caches
 *   files      LevelDB files that the node has mapped; shared with the page cache
 *   state      LevelDB on disk
 *   snapshots  what stages write to LevelDB; `node` is what reached the disk for it, compactions included
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pause } from './fleet.js';
import { childrenOf, round, say } from './machine.js';
import { MeasuredNode, type Plan, planText } from './measured-node.js';

const MINUTE_MS = 60_000;
const MB = 1e6;

export interface MemoryLiveRun extends Plan {
  /** Events per second. */
  readonly rate: number;
  /** All equally active. */
  readonly users: number;
  readonly minutes: number;
}

/** Bytes, but `events`. */
interface Sample {
  readonly events: number;
  readonly node: number;
  readonly anonymous: number;
  readonly files: number;
  readonly heap: number;
  readonly server: number;
  readonly state: number;
  readonly history: number;
  /** Streams, copies of snapshots and buckets; without the history. */
  readonly store: number;
  readonly snapshots: number;
  readonly nodeWritten: number;
  readonly serverWritten: number;
}

/** `json`: each minute a line of JSON instead of text. */
export async function benchMemoryLive(run: MemoryLiveRun, json: boolean): Promise<void> {
  const { rate, users, minutes } = run;
  const node = await MeasuredNode.start(run);
  try {
    await node.loaded({ rate, users, seconds: minutes * 60 + 60 }, async (load) => {
      if (!json)
        say(`\nmemory, ${rate} events/s of ${users} users, ${planText(run)}; MB, writes in MB/s, bytes per event`);
      let before = await sampleOf(node);
      for (let minute = 1; minute <= minutes; minute++) {
        await pause(MINUTE_MS);
        if (load.exitCode !== null) throw new Error(`the load has ended with ${load.exitCode}`);
        const sample = await sampleOf(node);
        if (json) say(JSON.stringify({ bench: 'memory-live', ...run, minute, ...sample }));
        else say(text(minute, sample, before));
        before = sample;
      }
    });
  } finally {
    await node.stop();
  }
}

async function sampleOf(node: MeasuredNode): Promise<Sample> {
  const pid = node.process.pid!;
  const [server = 0] = childrenOf(pid);
  const metrics = await node.metrics();
  const streams = streamBytes(join(node.dataDir, 'nats'));
  return {
    events: metrics('rivulet_events_total', 'stage="parse"'),
    node: procBytes(pid, 'status', 'VmRSS'),
    anonymous: procBytes(pid, 'status', 'RssAnon'),
    files: procBytes(pid, 'status', 'RssFile'),
    heap: metrics('rivulet_thread_heap_bytes'),
    server: procBytes(server, 'status', 'VmRSS'),
    state: bytesIn(join(node.dataDir, 'state')),
    ...streams,
    snapshots: metrics('rivulet_snapshot_written_bytes_total'),
    nodeWritten: procBytes(pid, 'io', 'write_bytes'),
    serverWritten: procBytes(server, 'io', 'write_bytes'),
  };
}

function text(minute: number, sample: Sample, before: Sample): string {
  const mb = (bytes: number): string => round(bytes / MB, 0);
  const perSecond = (name: 'snapshots' | 'nodeWritten' | 'serverWritten'): string =>
    round((sample[name] - before[name]) / MB / (MINUTE_MS / 1000), 2);
  const perEvent = (bytes: number): string => round(bytes / sample.events, 0);
  const { node, anonymous, files, heap, server, state, store, history } = sample;
  return (
    `  ${minute} min: node ${mb(node)} (heap ${mb(heap)}, other ${mb(anonymous - heap)}, files ${mb(files)}), nats-server ${mb(server)}; ` +
    `disk ${mb(state + store + history)} (state ${mb(state)}, history ${mb(history)}, other streams ${mb(store)}); ` +
    `written: snapshots ${perSecond('snapshots')}, node ${perSecond('nodeWritten')}, nats-server ${perSecond('serverWritten')}; ` +
    `per event: history ${perEvent(history)}, other streams ${perEvent(store)}`
  );
}

/** A line of a file in /proc, in kB where it says so; 0 without one. */
function procBytes(pid: number, file: 'status' | 'io', name: string): number {
  const [, value = '0', kilo] =
    new RegExp(`^${name}:\\s+(\\d+)( kB)?`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8')) ?? [];
  return Number(value) * (kilo === undefined ? 1 : 1024);
}

function streamBytes(directory: string): { readonly history: number; readonly store: number } {
  const history = bytesIn(directory, (file) => file.includes('/RIVULET_HISTORY/'));
  return { history, store: bytesIn(directory) - history };
}

/** Of files as they are on disk; they come and go meanwhile. */
function bytesIn(directory: string, counts: (file: string) => boolean = () => true): number {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter(counts)
    .reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
}
