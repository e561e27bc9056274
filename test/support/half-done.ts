/** A replay that was killed half-way, kept aside: put back as often as one likes, harmed in a new way each time, and started again. */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { awaited, countsIn, hasEnded, natsPid, natsStoreOf, processesOn, signal } from './blows.js';
import { ended, type ReplayEnd, type ReplayRun, resultRows, startReplay } from './replay-process.js';
import { makeShop, RESULT_FILES, type Shop } from './shop-files.js';

/** A clear refusal: one line with a code, and what to do. */
const REFUSAL = /^error: .* \[([A-Z_]+)\]$[^]*^hint: .+/m;
/** A start that neither ends nor works would be no refusal. */
const HANGS_MS = 30_000;

export type Outcome = 'equal rows' | `refused: ${string}`;

export type Part = 'data/replay/state' | 'data/replay/nats' | 'data' | 'out';

export interface HalfDone {
  readonly run: ReplayRun;
  /** The work directory: `state/<shard>`, `nats`, `job.json`. */
  readonly work: string;
  /** As it was when it was killed. */
  putBack(): void;
  /** Keeps what is there now, under a name. */
  keep(name: string): void;
  /** Where it is kept. */
  kept(name: string): string;
  /** Puts back the named parts of what was kept. */
  take(name: string, ...parts: readonly Part[]): void;
  drop(part: Part): void;
  /** Nothing of it was ever begun. */
  wipe(): void;
  /** Goes on until as many lists are written as this share of all, then kills all of it. */
  goOn(share: number): Promise<void>;
  /** Starts it again; throws unless it ends with equal rows, or refuses clearly. */
  outcome(extra?: readonly string[]): Promise<Outcome>;
  remove(): Promise<void>;
}

export async function halfDone(seed: number, shares: readonly number[]): Promise<HalfDone> {
  const directory = mkdtempSync(join(tmpdir(), 'rivulet-half-'));
  const shop = makeShop(directory, { seed, epochs: 10, rows: 600 });
  const [out, dataDir, kept] = ['out', 'data', 'kept'].map((name) => join(directory, name)) as [string, string, string];
  const extra = ['--chunk-bytes', '2048', '--snapshot-every-seconds', '0.1'];
  const run: ReplayRun = { ...{ out, dataDir, extra, partitions: 2 }, input: shop.input, popularity: shop.popularity };
  const half: HalfDone = {
    run,
    work: join(dataDir, 'replay'),
    putBack: () => {
      half.take('killed', 'data', 'out');
    },
    keep: (name) => {
      rmSync(join(kept, name), { recursive: true, force: true });
      for (const part of ['data', 'out']) cpSync(join(directory, part), join(kept, name, part), { recursive: true });
    },
    kept: (name) => join(kept, name),
    take: (name, ...parts) => {
      for (const part of parts) {
        half.drop(part);
        cpSync(join(kept, name, part), join(directory, part), { recursive: true });
      }
    },
    drop: (part) => {
      rmSync(join(directory, part), { recursive: true, force: true });
    },
    wipe: () => {
      half.drop('data');
      half.drop('out');
    },
    goOn: (share) => killedAt(run, share * shop.expected['recommendations.csv'].join('\n').length),
    outcome: async (more = []) => outcomeOf(await endOf({ ...run, extra: [...extra, ...more] }), run, shop),
    remove: async () => {
      const left = await processesOn(directory);
      rmSync(directory, { recursive: true, force: true });
      if (left.length > 0) throw new Error(`still running: ${left.join(', ')}`);
    },
  };
  for (const share of shares) await half.goOn(share);
  half.keep('killed');
  return half;
}

/** Runtime and nats-server, at once. */
async function killedAt(run: ReplayRun, bytes: number): Promise<void> {
  const child = startReplay(run);
  const end = ended(child);
  const file = join(run.out, 'recommendations.csv');
  const reached = (): true | undefined => (existsSync(file) && readFileSync(file).length >= bytes ? true : undefined);
  await awaited(reached, () => hasEnded(child));
  const server = await natsPid(natsStoreOf(run));
  child.kill('SIGKILL');
  if (server !== undefined) signal(server, 'SIGKILL');
  const { code, stderr } = await end;
  if (code !== null) throw new Error(`it ended with ${code} before it was killed: ${stderr}`);
  await awaited(async () => ((await processesOn(run.dataDir)).length === 0 ? true : undefined));
}

async function endOf(run: ReplayRun): Promise<ReplayEnd> {
  const child = startReplay(run);
  let hangs = false;
  const timer = setTimeout(() => {
    hangs = true;
    child.kill('SIGTERM');
  }, HANGS_MS);
  const end = await ended(child);
  clearTimeout(timer);
  if (hangs) throw new Error(`it hangs: ${end.stderr}`);
  return end;
}

function outcomeOf({ code, stdout, stderr }: ReplayEnd, { out }: ReplayRun, shop: Shop): Outcome {
  if (code !== 0) {
    const refusal = REFUSAL.exec(stderr);
    if (refusal === null || refusal[1] === 'BUG') throw new Error(`no clear refusal (${code}): ${stderr}`);
    if (/^(LOG_|STATE_)/.test(refusal[1]!) && !stderr.includes('--restart'))
      throw new Error(`does not say that --restart does the job anew: ${stderr}`);
    return `refused: ${refusal[1]!}`;
  }
  for (const file of RESULT_FILES) {
    const [rows, expected] = [resultRows(out, file), shop.expected[file]];
    if (rows.join('\n') !== expected.join('\n'))
      throw new Error(`WRONG ROWS in silence: ${rows.length} in ${file} instead of ${expected.length}\n${stderr}`);
  }
  const counts = countsIn(stdout);
  if (counts.events !== shop.events || counts.late !== shop.expected['late.csv'].length)
    throw new Error(`wrong counts: ${stdout}`);
  return 'equal rows';
}
