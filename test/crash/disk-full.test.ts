/**
 * A disk that fills up under a replay (state and NATS store on a small tmpfs): it ends with a clear refusal, or waits; when there is room again
 * the rows are the same. Needs the right to mount: skipped where there is none.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { awaited, countsIn, hasEnded, linesIn, natsPid, natsStoreOf, processesOn, signal } from '../support/blows.js';
import { startEmbedded, testSupervision } from '../support/nats.js';
import { ended, type ReplayEnd, type ReplayRun, resultRows, startReplay } from '../support/replay-process.js';
import { makeShop, RESULT_FILES } from '../support/shop-files.js';
import { skipped } from '../support/requirements.js';

/** Streams want room for all they may grow to (some twenty, 16 MB each, of three quarters of the disk); it is filled, not used. */
const DISK = '480m';
const TOO_SMALL = '24m';
/** So long a job that neither ends nor goes on counts as one that waits for room. */
const WAITS_MS = 10_000;
/** There is room again: by then it has ended, one way or the other. */
const GOES_ON_MS = 60_000;
const REFUSAL = /^error: .* \[([A-Z_]+)\]$[^]*^hint: .+/m;

const directory = mkdtempSync(join(tmpdir(), 'rivulet-full-'));
const disk = join(directory, 'disk');
const noMount = mounted('1m') && unmounted() ? undefined : 'a disk of a size cannot be mounted';
const children: { kill(signal: 'SIGKILL'): boolean }[] = [];

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  const server = await natsPid(join(disk, 'data', 'replay', 'nats'));
  if (server !== undefined) signal(server, 'SIGKILL');
  if (noMount === undefined) await awaited(() => (unmounted() ? true : undefined));
  rmSync(directory, { recursive: true, force: true });
});

function mounted(size: string): boolean {
  mkdirSync(disk, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function unmounted(): boolean {
  try {
    execFileSync('umount', [disk], { stdio: 'ignore' });
    return true;
  } catch {
    // "not mounted" is as good.
    return !execFileSync('mount', { encoding: 'utf8' }).includes(` ${disk} `);
  }
}

function fill(file: string): void {
  const [handle, block] = [openSync(file, 'w'), Buffer.alloc(64 * 1024)];
  try {
    for (let length = block.length; length > 0;) {
      try {
        if (writeSync(handle, block, 0, length) === 0) return;
      } catch {
        length >>= 1;
      }
    }
  } finally {
    closeSync(handle);
  }
}

const run = (input: string, popularity: string): ReplayRun => ({
  ...{ input, popularity, partitions: 2, out: join(directory, 'out'), dataDir: join(disk, 'data') },
  extra: ['--chunk-bytes', '2048', '--snapshot-every-seconds', '0.1', '--set', 'streamMegabytesMax=16'],
});

it.skipIf(noMount)(
  `a full disk ends a replay with a reason; with room again it goes on to the same rows${skipped(noMount)}`,
  async () => {
    expect(mounted(DISK)).toBe(true);
    const shop = makeShop(directory, { seed: 31, epochs: 10, rows: 1_000 });
    const job = run(shop.input, shop.popularity);
    const filler = join(disk, 'filler');
    const start = (): { child: ReturnType<typeof startReplay>; end: Promise<ReplayEnd> } => {
      const child = startReplay(job);
      children.push(child);
      return { child, end: ended(child) };
    };
    const first = start();
    const progress = (): true | undefined => (linesIn(join(job.out, 'recommendations.csv')) > 1_000 ? true : undefined);
    await awaited(progress, () => hasEnded(first.child));
    fill(filler);
    const filledAt = performance.now();
    await awaited(
      () => undefined,
      () => hasEnded(first.child) || performance.now() - filledAt > WAITS_MS,
    );
    const waits = !hasEnded(first.child);
    rmSync(filler);
    const givenUp = setTimeout(() => first.child.kill('SIGKILL'), GOES_ON_MS);
    let { code, stdout, stderr } = await first.end;
    clearTimeout(givenUp);
    if (code === null) stderr += await readFile(join(natsStoreOf(job), 'nats-server.log'), 'utf8').catch(String);
    expect(code, stderr).not.toBeNull();
    const refusal = REFUSAL.exec(stderr)?.[1];
    console.log(`the disk was full: ${waits ? 'it waited, then ' : ''}ended with ${code} ${refusal ?? ''}`);
    if (code !== 0) {
      expect(refusal ?? `${code}: ${stdout} ${stderr}`).toMatch(/^(STATE|SINK|NATS|LOG)_/);
      ({ code, stdout, stderr } = await start().end);
    }
    expect(code, stderr).toBe(0);
    for (const file of RESULT_FILES) expect(resultRows(job.out, file), file).toEqual(shop.expected[file]);
    expect(countsIn(stdout)).toMatchObject({ events: shop.events, late: shop.expected['late.csv'].length });
    expect(await processesOn(natsStoreOf(job))).toEqual([]);
    expect(unmounted()).toBe(true);
  },
  120_000,
);

it.skipIf(noMount)(
  `a disk that is too small for the streams is refused before anything is read${skipped(noMount)}`,
  async () => {
    expect(mounted(TOO_SMALL)).toBe(true);
    const shop = makeShop(join(directory, 'small'), { seed: 1, epochs: 1, rows: 10 });
    const { code, stderr } = await ended(startReplay(run(shop.input, shop.popularity)));
    expect([code, REFUSAL.exec(stderr)?.[1]], stderr).toEqual([3, 'NATS_STORAGE']);
    expect(unmounted()).toBe(true);
  },
  60_000,
);

it.skipIf(noMount)(
  `a nats-server that could store no more is restarted when there is room again, and stores (EMBEDDED-4)${skipped(noMount)}`,
  async () => {
    expect(mounted(DISK)).toBe(true);
    const supervision = testSupervision();
    const server = await startEmbedded({ storeDir: join(disk, 'nats'), ...supervision });
    const log = await openNatsLog(await connectNats({ url: server.url }, 'writer'));
    await log.ensureStream({
      ...{ name: 'FULL', subjects: ['full.>'], bytesMax: 16 * 1024 * 1024, dropsOldest: true, replicas: 1 },
    });
    const stored: number[] = [];
    const store = (): Promise<unknown> =>
      log.publish('full.a', Buffer.alloc(64 * 1024)).then(
        (sequence) => stored.push(sequence),
        (error: unknown) => expect(error).toMatchObject({ reaction: 'transient' }),
      );
    await store();
    const filler = join(disk, 'filler');
    fill(filler);
    const wasLogged = async (text: string): Promise<true | undefined> => {
      await store();
      return JSON.stringify(supervision.logged).includes(text) ? true : undefined;
    };
    await awaited(() => wasLogged('the disk is full'));
    rmSync(filler);
    await awaited(() => wasLogged('its disk was full, and has room again'));
    const before = stored.length;
    await awaited(async () => {
      await store();
      return stored.length > before ? true : undefined;
    });
    // Each that was acknowledged is another one, and in the stream.
    expect(stored).toEqual([...new Set(stored)].sort((a, b) => a - b));
    expect((await log.info('FULL')).lastSequence).toBeGreaterThanOrEqual(stored.at(-1)!);
    await log.close();
    await server.stop();
    expect(unmounted()).toBe(true);
  },
  60_000,
);
