/** Data directories that are damaged, gone or of another moment, while NATS, which is not theirs, has copies of what they knew. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/live-nodes.js';
import type { Ended } from './run-cli.js';
import { smallBed } from './small-node.js';

const bed = smallBed();

const rivulet = (...args: string[]): Promise<Ended> => bed.nodes.rivulet('node', ...args);

/** Messages in each stream that is there. */
async function streams(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for await (const { config, state } of (await jetstreamManager(bed.connection)).streams.list()) {
    found[config.name] = state.messages;
  }
  return found;
}

describe('with copies in NATS', () => {
  it('damage is refused and mended by repair; a data directory that is gone needs nothing; verify compares with the log', async () => {
    const first = await bed.nodes.start('node');
    await first.buy('chair-1');
    await first.copied('source-0', 'view-0');
    const busy = await bed.nodes.rivulet('other', 'repair', '--start-anew', '--yes');
    expect([busy.code, busy.stderr]).toEqual([3, expect.stringContaining('[NATS_IN_USE]')]);
    await first.stop();
    const sound = await rivulet('state', 'verify', '--json');
    expect(JSON.parse(sound.stdout)).toMatchObject({ sound: true, log_compared: true });

    bed.nodes.damage('node', 'source-0');
    bed.nodes.damage('node', 'view-0');
    const refused = await rivulet('start', '--grpc-port', '0');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/\[STATE_DAMAGED\]\n.*rivulet repair/s)]);
    expect((await rivulet('state', 'verify')).code).toBe(1);
    const done = await rivulet('repair', '--yes', '--json');
    const { stores, set_aside: aside } = JSON.parse(done.stdout) as {
      stores: { store: string; remedy: string }[];
      set_aside: string[];
    };
    const remedies = stores.filter(({ remedy }) => remedy !== 'nothing').map(({ store, remedy }) => [store, remedy]);
    expect(remedies).toEqual([
      ['source-0', 'copies'],
      ['view-0', 'copies'],
    ]);
    expect(aside).toHaveLength(2);
    const second = await bed.nodes.start('node');
    await second.knows('chair-1');
    await second.buy('chair-2');
    await second.stop();

    rmSync(join(bed.cwd, 'node'), { recursive: true });
    expect((await rivulet('repair')).stdout).toContain('Nothing to repair');
    const third = await bed.nodes.start('node');
    expect([...(await third.knows('chair-1', 'chair-2'))].sort()).toEqual(['chair-1', 'chair-2']);
    await third.stop();

    const anew = await rivulet('repair', '--start-anew', '--yes');
    expect(anew.code).toBe(0);
    const left = await streams();
    for (const name of ['KV_RIVULET_COPIES', 'OBJ_RIVULET_STATE', 'RIVULET_WINDOW']) {
      expect(left).not.toHaveProperty(name);
    }
    expect(left).toMatchObject({ KV_RIVULET_DEPLOYMENT: 1 });
    const fourth = await bed.nodes.start('node');
    await fourth.buy('chair-3');
  }, 240_000);

  it('state that is newer than a backup that was restored is refused, and set aside', async () => {
    const first = await bed.nodes.start('node');
    await first.buy('chair-1');
    await first.copied('source-0', 'user-0', 'view-0');
    expect((await rivulet('backup', join(bed.cwd, 'saved'))).code).toBe(0);
    await first.buy('chair-2');
    await first.stop();
    const restored = await rivulet('restore', join(bed.cwd, 'saved'), '--replace');
    expect(restored.code).toBe(0);

    const refused = await rivulet('start', '--grpc-port', '0');
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(/\[LOG_BEHIND\]\n.*rivulet repair/s)]);
    const verified = await rivulet('state', 'verify');
    expect([verified.code, verified.stdout]).toEqual([
      1,
      expect.stringMatching(/LOG_BEHIND: .* restored from a backup that ends at/),
    ]);
    // What a node ends with is what the commands print, and what to do about it.
    const thrown = /^error: (.*) \[LOG_BEHIND\]\nhint: (.*)$/m.exec(refused.stderr)!;
    expect(verified.stdout).toContain(`LOG_BEHIND: ${thrown[1]} (${thrown[2]})`);
    for (const command of ['repair', 'doctor']) {
      expect((await rivulet(command)).stdout, command).toContain(`LOG_BEHIND: ${thrown[1]}`);
    }
    const done = await rivulet('repair', '--yes');
    expect([done.code, done.stdout]).toEqual([0, expect.stringContaining('the copy that NATS holds')]);
    const second = await bed.nodes.start('node');
    expect(await second.knows('chair-1')).toEqual(['chair-1']);
    await second.buy('chair-3');
    expect([...(await second.knows())].sort()).toEqual(['chair-1', 'chair-3']);
  }, 240_000);

  it('a node goes on behind what a stranger has written on its lines; doctor tells it, and there is nothing to repair', async () => {
    const first = await bed.nodes.start('node', '--http-port', String(await freePort()));
    await first.buy('chair-1');
    const client = jetstream(bed.connection);
    for (const text of ['hello there', '']) await client.publish('rivulet.window.0.watermark.0', text);
    await first.buy('chair-2');
    const [, port] = await first.running.printed(/HTTP at http:\/\/[^ ]*?:(\d+)/);
    const doctor = (): Promise<Ended> =>
      rivulet('doctor', '--http-port', port!, '--grpc-port', first.address.split(':')[1]!);
    const says =
      /window\.0 has skipped what Rivulet has not written, at last message \d+ on rivulet\.window\.0\.watermark\.0/;
    // The node looks at its instances now and then.
    await eventually(async () => expect((await doctor()).stdout).toMatch(says));
    await first.stop();
    expect(await rivulet('state', 'verify')).toMatchObject({ code: 0 });
    expect(await rivulet('repair')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Nothing to repair/) });
    const second = await bed.nodes.start('node');
    await second.buy('chair-3');
    await second.knows('chair-1', 'chair-2', 'chair-3');
  }, 240_000);
});
