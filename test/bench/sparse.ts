/**
 * The bounded job on sparse time: 500,000 events of three years, so that most rows are those of trending lists. Deterministic, made here.
 *
 * CPU is that of node and nats-server together, by the shell's `times`.
 */
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLI, loadAverage, round, run, say } from './machine.js';
import type { Plan } from './measured-node.js';

const EVENTS = 500_000;
const ITEMS = 4_000;
const USERS = 6_000;
const FILES = 10;
const FROM_MS = Date.UTC(2021, 0, 1);
const SPAN_MS = 3 * 365 * 86_400_000;
const CATEGORIES = 12;

/** The folder of files, beside the table of the same items. */
function data(): string {
  const directory = join(tmpdir(), 'rivulet-bench', 'sparse');
  if (existsSync(directory)) return directory;
  const unfinished = `${directory}.unfinished`;
  mkdirSync(unfinished, { recursive: true });
  let seed = 7;
  const random = (): number => {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    return seed / 2 ** 32;
  };
  // Some items are viewed much more often than others.
  const item = (): number => Math.floor(ITEMS * random() ** 2);
  const category = (of: number): string => `category-${of % CATEGORIES}.all`;
  for (let file = 0; file < FILES; file++) {
    const lines = ['event_time,event_type,product_id,category_code,brand,price,user_id'];
    for (let i = 0; i < EVENTS / FILES; i++) {
      const at = FROM_MS + ((file + i / (EVENTS / FILES)) / FILES) * SPAN_MS;
      const [chosen, type] = [item(), random()];
      const time = `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
      const kind = type < 0.9 ? 'view' : type < 0.97 ? 'cart' : 'purchase';
      const user = Math.floor(USERS * random());
      lines.push(
        `${time},${kind},${1_000_000 + chosen},${category(chosen)},brand-${chosen % 7},${chosen % 100}.5,${user}`,
      );
    }
    writeFileSync(join(unfinished, `part-${String(file).padStart(3, '0')}.csv`), `${lines.join('\n')}\n`);
  }
  const rows = Array.from(
    { length: ITEMS },
    (_, of) => `${1_000_000 + of},${ITEMS - of},category-${of % CATEGORIES},brand-${of % 7},${of % 100}.5`,
  );
  const header = 'product_id,total_purchases,main_category_code,main_brand,avg_price';
  writeFileSync(`${directory}.popularity.csv`, `${[header, ...rows].join('\n')}\n`);
  renameSync(unfinished, directory);
  return directory;
}

/** CPU seconds of the children of a shell, of what its `times` prints: user and system. */
function childSeconds(printed: string): number {
  const children = printed.trim().split('\n').at(-1)!;
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce((sum, [, m, s]) => sum + Number(m) * 60 + Number(s), 0);
}

/** The results stay in `<tmp>/rivulet-bench/sparse-out`, to be compared with those of another build. */
export async function benchSparse(plans: readonly Plan[]): Promise<void> {
  const directory = data();
  const root = join(tmpdir(), 'rivulet-bench');
  say(`\nreplay of ${EVENTS} events of three years (load ${loadAverage()})`);
  for (const { partitions, chaining } of plans) {
    const replay = [
      ...['replay', '--input', directory, '--popularity', `${directory}.popularity.csv`],
      ...['--out', join(root, 'sparse-out'), '--data-dir', join(root, 'sparse-work'), '--restart', '--json'],
      ...['--trigger', 'file', '--partitions', String(partitions), '--chaining', chaining ? 'on' : 'off'],
    ];
    const { stdout, seconds } = await run('bash', ['-c', '"$@" && times', 'bash', process.execPath, CLI, ...replay]);
    const cpu = childSeconds(stdout);
    say(
      `  ${partitions} partitions, chaining ${chaining ? 'on' : 'off'}: ${round(cpu)} s of CPU, ${round((cpu / EVENTS) * 1e6)} µs per event, in ${round(seconds)} s`,
    );
  }
}
