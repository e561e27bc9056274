/** A node whose state is damaged: it refuses to start and says what to do; the copies mend it, and everything anew works as well. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { workingDirectory } from './run-cli.js';
import { SmallNodes } from './small-node.js';

const { cwd, remove } = workingDirectory();
const nodes = new SmallNodes(cwd);
afterEach(() => nodes.end());
afterAll(remove);

const rivulet = (...args: string[]) => nodes.rivulet('node', ...args);

it('damaged state is refused, explained, set aside, and taken from its copy; or computed anew from what comes', async () => {
  for (const item of ['chair-1', 'chair-2']) {
    const node = await nodes.start('node');
    await node.buy(item);
    const busy = await rivulet('repair');
    expect([busy.code, busy.stderr]).toEqual([3, expect.stringContaining('[NATS_STORE_IN_USE]')]);
    await node.stop();
  }
  const sound = await rivulet('repair');
  expect([sound.code, sound.stdout]).toEqual([0, expect.stringContaining('Nothing to repair')]);

  nodes.damage('node', 'user-0');
  const refused = await rivulet('start', '--grpc-port', '0');
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/\[STATE_DAMAGED\]\n.*rivulet repair/s)]);
  const plan = await rivulet('repair');
  expect([plan.code, plan.stdout]).toEqual([1, expect.stringMatching(/^user-0\n.*the copy that NATS holds/s)]);
  const mended = await rivulet('repair', '--yes');
  expect([mended.code, mended.stdout]).toEqual([
    0,
    expect.stringMatching(/set aside: .*user-0\.set-aside-\d+T\d+Z\n[^]*Done\./),
  ]);
  const state = join(cwd, 'node', 'state');
  const kept = readdirSync(state).find((name) => name.startsWith('user-0.set-aside'))!;
  expect(readFileSync(join(state, kept, 'CURRENT'), 'utf8')).toContain('MANIFEST');
  const again = await nodes.start('node');
  await again.knows('chair-1', 'chair-2');
  await again.stop();

  const loss = await rivulet('repair', '--start-anew');
  expect([loss.code, loss.stdout]).toEqual([1, expect.stringMatching(/What is lost: [^]*Nothing was changed/)]);
  expect((await rivulet('repair', '--start-anew', '--yes')).code).toBe(0);
  const anew = await nodes.start('node');
  await anew.buy('chair-3');
  await anew.stop();
  expect((await rivulet('repair', '--json')).code).toBe(0);
}, 240_000);
