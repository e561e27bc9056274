/** Who owns a store directory, and which process may be signalled (connectors/nats/embedded/store-claim.ts, STORE-CLAIM-1, STORE-CLAIM-2, STORE-CLAIM-4). */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimStore, runsConfig } from '../../../../connectors/nats/embedded/store-claim.js';

let storeDir: string;

beforeEach(async () => {
  storeDir = await mkdtemp(join(tmpdir(), 'rivulet-claim-'));
});

afterEach(() => rm(storeDir, { recursive: true, force: true }));

describe('a claim', () => {
  it('goes to exactly one of many that ask at the same time, even after a crash (STORE-CLAIM-1, STORE-CLAIM-2)', async () => {
    await writeFile(join(storeDir, 'owner-7.json'), JSON.stringify({ pid: process.pid, life: 'of another process' }));
    for (let round = 0; round < 50; round++) {
      const claims = await Promise.allSettled(Array.from({ length: 12 }, () => claimStore(storeDir)));
      const won = claims.filter((claim) => claim.status === 'fulfilled');
      const lost = claims.filter((claim) => claim.status === 'rejected');
      expect(won).toHaveLength(1);
      for (const { reason } of lost) expect(reason).toMatchObject({ code: 'NATS_STORE_IN_USE' });
      await won[0]!.value.release();
    }
    expect(await readdir(storeDir)).toEqual(['owner-57.json']);
  });

  it.each(['', '{"pid":', '[]', '{"pid":1}'])('is not locked by a broken one: %j', async (text) => {
    await writeFile(join(storeDir, 'owner-1.json'), text);
    await claimStore(storeDir);
  });
});

describe('a process is ours (STORE-CLAIM-4)', () => {
  const config = '/data/nats/nats-server.conf';

  it.each([
    ['our server', ['/bin/nats-server', '-c', config]],
    ['our server under another name', ['/opt/broker', '-c', config]],
    ['ps on macOS', `/bin/nats-server -c ${config}`],
  ])('%s', (_, command) => {
    expect(runsConfig({ pid: 1, command }, config, '/opt/broker')).toBe(true);
  });

  it.each([
    ['a server on another store', ['/bin/nats-server', '-c', '/other/nats-server.conf']],
    ['a server with more arguments', ['/bin/nats-server', '-c', config, '--signal', 'stop']],
    ['an editor', ['vim', '-c', config]],
    ['a reader', ['less', config]],
    ['a reader, by ps', `less ${config}`],
    ['a server on a longer path, by ps', `/bin/nats-server -c /backup${config}`],
  ])('not: %s', (_, command) => {
    expect(runsConfig({ pid: 1, command }, config, '/opt/broker')).toBe(false);
  });
});
