/** `rivulet repair` on a real node whose log was tampered with: it ends in the same state, or refuses; and it says what is lost before it acts. */
import { cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { afterAll, afterEach, beforeEach, expect, it } from 'vitest';
import { connectNats } from '../../connectors/nats/connection/connect.js';
import { runCli, workingDirectory } from '../cli/run-cli.js';
import { SmallNodes } from '../cli/small-node.js';
import { eventually } from '../support/eventually.js';
import { startEmbedded } from '../support/nats.js';

const { cwd, remove } = workingDirectory();
const nodes = new SmallNodes(cwd);
beforeEach(() => {
  rmSync(join(cwd, 'node'), { recursive: true, force: true });
});
afterEach(() => nodes.end());
afterAll(remove);

const rivulet = (...args: string[]) => nodes.rivulet('node', ...args);
const NOW = Date.now();
const HOUR_MS = 3_600_000;

const view = (id: string, ageMs = 0): object => ({
  ...{ event_id: id, event_type: 'view', event_time: new Date(NOW - ageMs).toISOString(), user_id: 'u' },
  ...{ item_id: 'i1', category_code: 'home.chair', price: 5 },
});
const VIEWS = Array.from({ length: 10 }, (_, n) => view(`v${n}`));

/** Starts the node, which has counted `count` events or will, publishes these, one batch after the other, and stops it when all are counted. */
async function run(
  settings: readonly string[],
  count: number,
  ...batches: readonly (readonly object[])[]
): Promise<void> {
  const node = await nodes.start('node', ...settings);
  const [, http] = await node.running.printed(/HTTP at (http:\S+?),/);
  let expected = count;
  for (const events of [[], ...batches]) {
    writeFileSync(join(cwd, 'events.jsonl'), events.map((event) => `${JSON.stringify(event)}\n`).join(''));
    if (events.length > 0) expect((await rivulet('publish', '--file', 'events.jsonl')).code).toBe(0);
    expected += events.length;
    await eventually(async () => {
      expect(await counted(http!)).toBe(expected);
    });
  }
  expect((await node.stop()).code).toBe(0);
}

/** What window has counted, on time or late. */
async function counted(http: string): Promise<number> {
  const metrics = await (await fetch(`${http}/metrics`)).text();
  const total = (name: string): number =>
    Number(
      new RegExp(`^rivulet_events_${name}_total\\{[^}]*stage="window"[^}]*\\} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0,
    );
  return total('on_time') + total('late');
}

/** Of the user: interest by category; and of all: what was on time, and late. */
async function known(): Promise<unknown> {
  const entry = async (name: string): Promise<never> => {
    const { stdout, stderr } = await runCli(cwd, ['state', 'get', name, '--json', '--data-dir', 'node']);
    expect(stderr).toBe('');
    return JSON.parse(stdout) as never;
  };
  const { value: user } = await entry('interest-ranking/0/users/u');
  const { value: counts } = await entry('window/0/$counters/');
  const { categories } = user as { categories: [category: string, value: number, before: number][] };
  const { on_time: onTime, late } = counts as { on_time: number; late: number };
  return { interests: categories.map(([category, value]) => [category, value.toFixed(2)]), onTime, late };
}

const STORE = () => join(cwd, 'node', 'nats');

async function purged(stream: string): Promise<void> {
  const access = { anonymousSubjects: [] };
  const server = await startEmbedded({ storeDir: STORE(), access });
  try {
    const connection = await connectNats({ url: server.url, nkeyFile: server.nkeyFile! }, 'test');
    await (await jetstreamManager(connection)).streams.purge(stream);
    await connection.close();
  } finally {
    await server.stop();
  }
}

it.each(['RIVULET_WINDOW', 'RIVULET_INTEREST_RANKING'])(
  'a stream between stages that was purged, %s, is not made good by reading anew what others have read; start-anew counts each event once',
  async (stream) => {
    await run(['--set', 'copyEverySeconds=600'], 0, VIEWS, [view('late', 3 * HOUR_MS)]);
    const before = await known();
    expect(before).toMatchObject({ interests: [['home', '10.00']], onTime: 10, late: 1 });
    await purged(stream);
    const refused = await rivulet('start', '--grpc-port', '0', '--http-port', '0');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/\[LOG_(BEHIND|GAP)\]/)]);
    for (const more of [[], ['--yes']]) {
      const repaired = await rivulet('repair', ...more);
      expect([repaired.code, repaired.stdout]).toEqual([1, expect.stringContaining('cannot be made good')]);
    }
    expect(await known()).toEqual(before);
    expect((await rivulet('repair', '--start-anew', '--yes')).code).toBe(0);
    // Each event once. All of them may come in one frame then, in which none is late.
    await run([], 11);
    const { onTime, late } = (await known()) as { onTime: number; late: number };
    expect(onTime + late).toBe(11);
  },
);

it('a log that was put back to an earlier moment: what is lost is said first, and what comes again counts once', async () => {
  await run([], 0, VIEWS);
  cpSync(STORE(), join(cwd, 'earlier'), { recursive: true });
  const lost = [1, 2, 3].map((n) => view(`w${n}`));
  await run([], 10, lost, [view('late', 3 * HOUR_MS)]);
  const before = await known();
  rmSync(STORE(), { recursive: true });
  cpSync(join(cwd, 'earlier'), STORE(), { recursive: true });
  const plan = await rivulet('repair');
  expect([plan.code, plan.stdout]).toEqual([
    1,
    expect.stringMatching(/lost: messages? \d+ to \d+ of RIVULET_PARSE.*\n.*Publish those events again/),
  ]);
  const repaired = await rivulet('repair', '--yes');
  expect([repaired.code, repaired.stdout]).toEqual([0, expect.stringContaining('Done.')]);
  await run([], 10, lost, [view('late', 3 * HOUR_MS)]);
  expect(await known()).toEqual(before);
});
