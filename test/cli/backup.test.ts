/** Backups as people take them: of a node under load, restored elsewhere, gone on with; and what is refused. */
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it, vi } from 'vitest';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { openNatsLog } from '../../connectors/nats/log/log.js';
import { StreamArchive } from '../../connectors/nats/log/stream-archive.js';
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import { isAlive, runningServer } from '../../runtime/cli/nats-link.js';
import type { Log } from '../../runtime/contract/ports.js';
import { RESTORING_STREAM } from '../../runtime/contract/streams.js';
import { startTestNats } from '../support/nats.js';
import { PURCHASES_ALONE } from '../support/purchases-alone.js';
import { type Ended, runCli, type Running, startCli, workingDirectory } from './run-cli.js';

const { cwd, remove } = workingDirectory();
const running: Running[] = [];
const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGTERM');
    await ended;
  }
});
afterAll(remove);

const SAVED = 'copy';
const USERS = 30;
const TIME_MS = Date.parse('2026-11-01T10:00:00Z');
/** Sent before the backup is started, and after it has ended. */
const BEFORE = 600;
const AFTER = 300;

/**
 * An event by its number. First purchases, which decide what is popular; then views, each of another item, so that it makes no difference which of them
 * meet in one frame; every fiftieth is no event. From number `end` on each user turns to a category of its own: who has it has all before.
 */
function event(n: number, end = Infinity): { readonly subject: string; readonly data: Uint8Array } {
  const kind = n < USERS ? 'purchase' : n % 50 === 0 && n < end ? 'teleport' : 'view';
  const user = kind === 'purchase' ? 'buyer' : `u${n % USERS}`;
  // Twice as much of one as of the other: no ties.
  const category = kind === 'purchase' ? 'abc'[n % 3]! : n < end ? 'aab'[Math.floor(n / USERS) % 3]! : 'c';
  const fields = {
    ...{ event_id: `e${n}`, event_type: kind, event_time: new Date(TIME_MS + n * 10).toISOString() },
    ...{ user_id: user, item_id: kind === 'purchase' ? `p${n}` : `i${n}`, category_code: `${category}.x`, price: 1 },
  };
  return { subject: `rivulet.events.${kind}.${user}`, data: utf8(JSON.stringify(fields)) };
}

const SETTINGS = [
  ...['--grpc-port', '0', '--partitions', '2', '--snapshot-every-seconds', '1', '--set', 'copyEverySeconds=1'],
  // Interests that do not fade: what a list is then does not depend on when it was made.
  ...['--set', 'sourcePartitions=1', '--set', 'pipeline.interest.halfLifeHours=8784', '--log-level', 'warn'],
  ...PURCHASES_ALONE,
];

interface Node {
  readonly log: Log;
  readonly process: Running;
  /** Lists of all users, those that hold the last category; fewer than users while there is work to do. */
  answers(): Promise<Map<string, readonly (readonly [item: string, score: number])[]>>;
}

async function node(dataDir: string): Promise<Node> {
  const process = startCli(cwd, ['start', '--data-dir', dataDir, ...SETTINGS]);
  running.push(process);
  const [, address] = await process.printed(/gRPC on (127\.0\.0\.1:\d+)/);
  const log = await openNatsLog(await connectNats(runningServer(join(cwd, dataDir))!, 'test'));
  const client = await connectRivulet(address!);
  closing.push(async () => {
    client.close();
    await log.close();
  });
  const answers: Node['answers'] = async () => {
    const lists = new Map<string, readonly (readonly [string, number])[]>();
    for (let u = 0; u < USERS; u++) {
      const { items } = await client.getRecommendations({
        userId: `u${u}`,
        limit: 100,
        strategy: 'category-popularity',
      });
      if (items.some(({ category, type }) => category === 'c' && type === 'streaming_category_popularity'))
        lists.set(
          `u${u}`,
          items.map(({ itemId, score }) => [itemId, Number(score.toFixed(3))] as const),
        );
    }
    return lists;
  };
  return { log, process, answers };
}

async function send({ log }: Node, from: number, to: number, end?: number): Promise<void> {
  for (let n = from; n < to; n++) {
    const { subject, data } = event(n, end);
    await log.publish(subject, data);
  }
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}

const deadLetters = async (dataDir: string): Promise<string[]> => {
  const { stdout } = await runCli(cwd, ['dlq', 'ls', '--data-dir', dataDir, '--limit', '100000', '--json']);
  return (JSON.parse(stdout) as { original_text: string }[]).map(({ original_text: text }) => text).sort();
};

it('taken under load and restored elsewhere, it goes on as if nothing had happened', async () => {
  const first = await node('first');
  await send(first, 0, BEFORE);
  let taken: Ended | undefined;
  void runCli(cwd, ['backup', SAVED, '--data-dir', 'first', '--json']).then((ended) => (taken = ended));
  let end = BEFORE;
  while (taken === undefined) await send(first, end, ++end);
  await send(first, end, end + AFTER);
  end += AFTER;
  await send(first, end, end + USERS, end);
  expect(taken.stderr).toBe('');
  const summary = JSON.parse(taken.stdout) as { streams: number; messages: number };
  expect(summary.streams).toBeGreaterThan(10);
  await until(async () => (await first.answers()).size === USERS);

  const restored = await runCli(cwd, ['restore', SAVED, '--data-dir', 'second']);
  expect([restored.code, restored.stderr]).toEqual([0, '']);
  expect(restored.stdout).toContain('rivulet start --data-dir second');
  const second = await node('second');
  const last = textOf((await second.log.last('RIVULET_PARSE', 'rivulet.events.>'))!.data);
  const n = Number((JSON.parse(last) as { event_id: string }).event_id.slice(1));
  // The load went on while it was taken, and after.
  expect(n).toBeGreaterThanOrEqual(BEFORE);
  expect(n).toBeLessThan(end - AFTER);
  // A publisher that is not sure sends its last event again.
  await send(second, n, end + USERS, end);
  await until(async () => (await second.answers()).size === USERS);
  // What is popular follows at the next tick.
  await vi.waitFor(async () => expect(await second.answers()).toEqual(await first.answers()), {
    timeout: 60_000,
    interval: 500,
  });
  const refused = await deadLetters('first');
  expect(refused.length).toBeGreaterThan(BEFORE / 50);
  expect(await deadLetters('second')).toEqual(refused);

  // It is a node as any other: it is not restored over while it runs, and it can be backed up.
  const over = await runCli(cwd, ['restore', SAVED, '--data-dir', 'second', '--replace']);
  expect([over.code, over.stderr]).toEqual([3, expect.stringContaining('[NATS_STORE_IN_USE]')]);
  const { url, nkeyFile } = runningServer(join(cwd, 'second'))!;
  const withoutKey = await runCli(cwd, ['backup', 'copy-2', '--nats-url', url]);
  expect([withoutKey.code, withoutKey.stderr]).toEqual([3, expect.stringMatching(/\[NATS_RIGHTS\].*nats\/node\.nk/s)]);
  const byUrl = { RIVULET_NATS_URL: url, RIVULET_NATS_NKEY_FILE: nkeyFile };
  const live = await runCli(cwd, ['restore', SAVED, '--replace'], byUrl);
  expect([live.code, live.stderr]).toEqual([1, expect.stringContaining('[RESTORE_NODES_LIVE]')]);
  expect((await runCli(cwd, ['backup', 'copy-2'], byUrl)).code).toBe(0);
  const there = await runCli(cwd, ['backup', SAVED], byUrl);
  expect([there.code, there.stderr]).toEqual([1, expect.stringContaining('[BACKUP_EXISTS]')]);

  // Its nats-server outlives it, and is ended.
  const { pid } = runningServer(join(cwd, 'second'))!;
  second.process.child.kill('SIGKILL');
  await second.process.ended;
  const over2 = (): Promise<Ended> => runCli(cwd, ['restore', SAVED, '--data-dir', 'second', '--replace']);
  let ended = await over2();
  // Until its lease has ended.
  while (ended.stderr.includes('[RESTORE_NODES_LIVE]')) ended = await over2();
  expect([ended.code, ended.stdout]).toEqual([0, expect.stringContaining('restored onto second')]);
  expect(isAlive(pid)).toBe(false);
}, 180_000);

/** The backup of the test before, as something that happened to it has left it. */
function spoilt(spoil: (folder: string) => void): string {
  const folder = join(cwd, 'spoilt');
  rmSync(folder, { recursive: true, force: true });
  cpSync(join(cwd, SAVED), folder, { recursive: true });
  spoil(folder);
  return 'spoilt';
}

const flipped = (file: string): void => {
  const bytes = readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  writeFileSync(file, bytes);
};

it.each<[string, (folder: string) => void, string]>([
  ['a flipped bit', (folder) => flipped(join(folder, 'RIVULET_WINDOW.snapshot')), 'RIVULET_WINDOW.snapshot is not as'],
  ['a file cut off', (folder) => truncateSync(join(folder, 'RIVULET_PARSE.snapshot'), 100), 'has 100 bytes, not'],
  ['a file that is gone', (folder) => rmSync(join(folder, 'KV_RIVULET_COPIES.snapshot')), 'cannot be read'],
  ['a manifest that was edited', (folder) => edited(folder), 'manifest.json is not as it was written'],
  ['no manifest', (folder) => rmSync(join(folder, 'manifest.json')), '[BACKUP_UNFINISHED]'],
  ['nothing at all', (folder) => readdirSync(folder).forEach((name) => rmSync(join(folder, name))), '[BACKUP_MISSING]'],
])(
  'with %s it is refused before anything is touched',
  async (_, spoil, says) => {
    const { code, stdout, stderr } = await runCli(cwd, ['restore', spoilt(spoil), '--data-dir', 'never']);
    expect([code, stdout, stderr]).toEqual([1, '', expect.stringContaining(says)]);
    expect(readdirSync(cwd)).not.toContain('never');
  },
  60_000,
);

function edited(folder: string): void {
  const file = join(folder, 'manifest.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace(/"messages": \d+/g, '"messages": 7'));
}

it('takes the place of a deployment only when told to; a broken off one lets no node start', async () => {
  expect(JSON.parse((await runCli(cwd, ['restore', SAVED, '--check', '--json'])).stdout)).toMatchObject({
    whole: true,
  });
  expect((await runCli(cwd, ['restore', SAVED, '--data-dir', 'third'])).code).toBe(0);
  const there = await runCli(cwd, ['restore', SAVED, '--data-dir', 'third']);
  expect([there.code, there.stderr]).toEqual([1, expect.stringMatching(/RIVULET_PARSE.*\[RESTORE_EXISTS\]/)]);
  const replaced = await runCli(cwd, ['restore', SAVED, '--data-dir', 'third', '--replace', '--json']);
  expect(replaced.stderr).toMatch(
    /^saving what is there in .*third-replaced-.*\ndeleting \d+ streams: .*RIVULET_PARSE/,
  );
  expect((JSON.parse(replaced.stdout) as { replaced: string[] }).replaced).toContain('RIVULET_PARSE');
});

it('is whole, or not there: nodes and backups refuse what a restore has left half', async () => {
  const server = await startTestNats();
  closing.push(() => server.stop());
  const connection = await connectNats({ url: server.url }, 'test');
  closing.push(() => connection.close());
  const archive = await StreamArchive.open(connection);
  const restore = (...args: string[]): Promise<Ended> =>
    runCli(cwd, ['restore', SAVED, '--nats-url', server.url, ...args]);
  const refused = await restore('--replicas', '3');
  const says = expect.stringMatching(/\[NATS_REPLICAS\]\n(.*\n)*hint: .*--replicas/);
  expect([refused.code, refused.stderr]).toEqual([3, says]);
  expect(await archive.names()).toEqual([]);

  // As when it is killed.
  await archive.mark(RESTORING_STREAM, 1);
  const unfinished = expect.stringContaining('[RESTORE_UNFINISHED]');
  for (const args of [
    ['start', '--grpc-port', '0'],
    ['backup', 'nothing'],
  ]) {
    const { code, stderr } = await runCli(cwd, [...args, '--nats-url', server.url]);
    expect([code, stderr]).toEqual([3, unfinished]);
  }
  expect((await restore()).stderr).toContain('[RESTORE_EXISTS]');
  expect((await restore('--replace')).code).toBe(0);
  expect(await archive.names()).not.toContain(RESTORING_STREAM);
  expect((await runCli(cwd, ['backup', 'again', '--nats-url', server.url])).code).toBe(0);
});
