/**
 * The bounded job against its peers on the same files, alternating, in one run.
 *
 * Needs python3 with numpy for the generator; Spark when RIVULET_BENCH_PYTHON names a python with pyspark. What is missing is left out by name.
 * Not measured: Spark's session start (its own figure leaves it out), ours (reading the topology, starting threads; about 1 s in all).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLI, loadAverage, megabytes, percentile, round, run, say, SHARED_BENCH } from './machine.js';

interface Summary {
  readonly events: number;
  readonly seconds: number;
  readonly events_per_second: number;
}

const python = process.env.RIVULET_BENCH_PYTHON ?? 'python3';

async function data(rows: number): Promise<string | undefined> {
  const directory = join(tmpdir(), 'rivulet-bench', String(rows));
  if (existsSync(`${directory}.popularity.csv`)) return directory;
  const generator = join(SHARED_BENCH, 'gen.py');
  if (!existsSync(generator)) {
    say(`skipped: ${generator} is not there`);
    return undefined;
  }
  mkdirSync(directory, { recursive: true });
  say(`generating ${rows} events in 10 files…`);
  await run(python, [generator, String(rows), '10', directory]);
  return directory;
}

async function rivulet(
  directory: string,
  partitions: number,
  ...more: readonly string[]
): Promise<Summary & { readonly treeBytesMax: number }> {
  const work = join(tmpdir(), 'rivulet-bench', 'work');
  const args = [
    'replay',
    '--input',
    directory,
    '--popularity',
    `${directory}.popularity.csv`,
    '--out',
    join(work, 'out'),
  ];
  const options = [
    '--trigger',
    'file',
    '--partitions',
    String(partitions),
    '--data-dir',
    work,
    '--restart',
    '--json',
    ...more,
  ];
  const { stdout, treeBytesMax } = await run(process.execPath, [CLI, ...args, ...options]);
  return { ...(JSON.parse(stdout) as Summary), treeBytesMax };
}

async function spark(directory: string): Promise<number | undefined> {
  const out = join(tmpdir(), 'rivulet-bench', 'spark-out');
  try {
    const { stdout } = await run(python, [
      join(SHARED_BENCH, 'spark_job.py'),
      directory,
      `${directory}.popularity.csv`,
      out,
    ]);
    return (JSON.parse(stdout.trim().split('\n').at(-1)!) as { seconds: number }).seconds;
  } catch (error) {
    say(
      `skipped: Spark does not run here (${String(error).split('\n')[0]}); set RIVULET_BENCH_PYTHON to a python with pyspark`,
    );
    return undefined;
  }
}

/** Rivulet and Spark in turns on 1 M events. */
export async function benchReplay(rounds: number): Promise<void> {
  const directory = await data(1_000_000);
  if (directory === undefined) return;
  say('\nreplay, 1 M events, 10 epochs (seconds; events per second)');
  const ratios: number[] = [];
  for (let i = 1; i <= rounds; i++) {
    const own = await rivulet(directory, 4);
    const peer = await spark(directory);
    const ratio = peer === undefined ? NaN : peer / own.seconds;
    if (peer !== undefined) ratios.push(ratio);
    const theirs = peer === undefined ? '' : `   Spark ${round(peer)} s   ratio ${round(ratio)}`;
    say(
      `  round ${i}: Rivulet ${round(own.seconds, 2)} s (${own.events_per_second}/s), ${megabytes(own.treeBytesMax)}${theirs}`,
    );
  }
  if (ratios.length > 0) {
    ratios.sort((a, b) => a - b);
    say(`  ratio: ${round(ratios[0]!)} to ${round(ratios.at(-1)!)}, median ${round(ratios[ratios.length >> 1]!)}`);
  }
}

/** What snapshots cost: every second against one at the end, in turns on 1 M events. */
export async function benchSnapshots(rounds: number): Promise<void> {
  const directory = await data(1_000_000);
  if (directory === undefined) return;
  say(`\nsnapshots: replay of 1 M events with one a second, and with one at the end (seconds; load ${loadAverage()})`);
  const [often, once]: [number[], number[]] = [[], []];
  for (let i = 1; i <= rounds; i++) {
    // Which is first changes: the machine may grow slower or faster.
    const order = i % 2 === 0 ? [often, once] : [once, often];
    for (const of of order) {
      of.push((await rivulet(directory, 4, '--snapshot-every-seconds', of === often ? '1' : '3600')).seconds);
    }
    say(`  round ${i}: every second ${round(often.at(-1)!, 2)} s, at the end ${round(once.at(-1)!, 2)} s`);
  }
  const median = (values: number[]): number =>
    percentile(
      [...values].sort((a, b) => a - b),
      0.5,
    );
  const cost = (median(often) / median(once) - 1) * 100;
  say(
    `  medians: ${round(median(often), 2)} s and ${round(median(once), 2)} s: ${round(cost)} % slower; load ${loadAverage()}`,
  );
}

/** Throughput and memory on 4 M events. */
export async function benchMemory(): Promise<void> {
  const directory = await data(4_000_000);
  if (directory === undefined) return;
  say('\nreplay, 4 M events, 10 epochs: throughput and peak memory of the whole process tree');
  const { seconds, events_per_second: rate, treeBytesMax } = await rivulet(directory, 4);
  say(
    `  Rivulet ${round(seconds, 2)} s (${rate}/s), peak ${megabytes(treeBytesMax)} (Flink 1.20, heap state: 177 k/s on such a machine)`,
  );
}
