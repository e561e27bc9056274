/** Strangers write into the buckets of a deployment, and into files of a data directory: a node goes on, and starts, or says what to do. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { describe, expect, it } from 'vitest';
import { entriesOfBucket } from '../../connectors/nats/key-value.js';
import { textOf } from '../../runtime/frames/bytes.js';
import { leasesIn, nodesIn } from '../../runtime/cluster/entries.js';
import { manifestIn } from '../../runtime/replication/store.js';
import { BUCKETS } from '../../runtime/node/buckets.js';
import { smallBed } from '../cli/small-node.js';
import { until } from '../support/nats-cluster.js';

const bed = smallBed();

/** What a stranger makes of what stands there. */
const GARBAGE: readonly (readonly [string, (before: string) => string])[] = [
  ['nothing', () => ''],
  ['text', () => 'nonsense'],
  ['half of it', (before) => before.slice(0, before.length / 2)],
  ['JSON of another shape', () => '{"node":7,"parts":{},"format":"1","partitions":[],"token":null}'],
  ['no object', () => 'null'],
  ['a lot', () => `"${'x'.repeat(900_000)}"`],
];

const entriesIn = async (bucket: string) => (await entriesOfBucket(bed.connection, bucket)) ?? [];
const TABLES = [BUCKETS.manifests, BUCKETS.nodes, BUCKETS.leases, BUCKETS.deployment];

/** All that is there, a key of nobody's, and what cannot be a key. */
async function tamper(garbage: (before: string) => string): Promise<void> {
  const client = jetstream(bed.connection);
  for (const bucket of TABLES) {
    for (const { key, value } of await entriesIn(bucket)) {
      await client.publish(`$KV.${bucket}.${key}`, garbage(textOf(value)));
    }
    for (const key of ['nobody', 'hold', 'a$b']) await client.publish(`$KV.${bucket}.${key}`, garbage('{"a":1}'));
  }
  const objects = `$O.${BUCKETS.objects}.M.>`;
  const { state } = await (
    await jetstreamManager(bed.connection)
  ).streams.info(`OBJ_${BUCKETS.objects}`, {
    subjects_filter: objects,
  });
  for (const subject of Object.keys(state.subjects ?? {})) await client.publish(subject, garbage('{"nuid":"a"}'));
  for (const stage of ['parse', 'window', 'interest-ranking']) {
    await client.publish(`rivulet.quarantine.${stage}.0`, garbage('{"stream":"s","sequences":[]}'));
  }
}

/** Everything that a node needs is readable again. */
const mended = (shards: number) =>
  until('all entries to be written anew', async () => {
    const isCopy = (await entriesIn(BUCKETS.manifests)).filter((one) => manifestIn(one).manifest !== undefined);
    const owned = [...leasesIn(await entriesIn(BUCKETS.leases)).values()].filter(({ node }) => node !== undefined);
    const there = nodesIn(await entriesIn(BUCKETS.nodes));
    return (isCopy.length === shards && owned.length === shards && there.length === 1) || undefined;
  });

describe('buckets', () => {
  it.each(GARBAGE)(
    'with %s in them: the node goes on, and starts again, and knows what it knew',
    async (_, garbage) => {
      const first = await bed.nodes.start('node', '--log-level', 'warn');
      await first.buy('chair-1');
      const shards = (await entriesIn(BUCKETS.leases)).length;
      await mended(shards);
      await tamper(garbage);
      await first.buy('chair-2');
      await mended(shards);
      const { code, stderr } = await first.stop();
      expect(code).toBe(0);
      expect(stderr).toContain(`"bucket":"${BUCKETS.leases}","key":"source-0"`);
      expect(stderr).toMatch(
        /the entry source-0 of the bucket RIVULET_COPIES \(revision \d+\) was not written by rivulet/,
      );

      await tamper(garbage);
      const second = await bed.nodes.start('node');
      await second.knows('chair-1', 'chair-2');
      await second.buy('chair-3');
      await mended(shards);
      const third = await second.stop();
      expect(third.code).toBe(0);
      expect(`${stderr}${third.stderr}`).not.toMatch(/BUG|Unexpected token|SyntaxError|TypeError/);
    },
    180_000,
  );

  it('with garbage for copies: a node that has nothing else is refused, and the hinted way mends it', async () => {
    const first = await bed.nodes.start('node');
    await first.buy('chair-1');
    const shards = (await entriesIn(BUCKETS.leases)).length;
    await mended(shards);
    const trimmed = async () => (await (await jetstreamManager(bed.connection)).streams.info('RIVULET_PARSE')).state;
    await until('the mailbox to be trimmed', async () => (await trimmed()).first_seq > 1 || undefined);
    await first.stop();
    for (const { key } of await entriesIn(BUCKETS.manifests)) {
      await jetstream(bed.connection).publish(`$KV.${BUCKETS.manifests}.${key}`, 'nonsense');
    }
    const refused = await bed.nodes.rivulet('other', 'start', '--grpc-port', '0');
    expect([refused.code, refused.stderr]).toEqual([
      3,
      expect.stringMatching(/entry \S+ of the bucket RIVULET_COPIES .*\[COPY_LOST\]\nhint: start the node that had/s),
    ]);
    for (const command of ['doctor', 'repair']) {
      const looked = await bed.nodes.rivulet('other', command);
      const says = /the entry user-0 of the bucket RIVULET_COPIES \(revision \d+\) was not written by rivulet/;
      expect([looked.code, looked.stdout], command).toEqual([1, expect.stringMatching(says)]);
    }
    const again = await bed.nodes.start('node');
    await mended(shards);
    await again.stop();
    const other = await bed.nodes.start('other');
    await other.knows('chair-1');
  }, 180_000);
});

it('garbage for what the deployment is: who has nothing else is refused, and repair writes it anew', async () => {
  const first = await bed.nodes.start('node');
  await first.buy('chair-1');
  await mended((await entriesIn(BUCKETS.leases)).length);
  await first.stop();
  await jetstream(bed.connection).publish(`$KV.${BUCKETS.deployment}.pipeline`, 'nonsense');
  const refused = await bed.nodes.rivulet('other', 'start', '--grpc-port', '0');
  const says = /entry pipeline of the bucket RIVULET_DEPLOYMENT .*\[DEPLOYMENT_UNREADABLE\]\nhint: .*repair --yes/s;
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringMatching(says)]);
  expect((await bed.nodes.rivulet('other', 'doctor')).code).toBe(1);
  expect((await bed.nodes.rivulet('other', 'repair', '--yes')).code).toBe(0);
  const other = await bed.nodes.start('other');
  await other.knows('chair-1');
}, 180_000);

type File = readonly [string, { readonly refused?: string; readonly mend?: 'delete' }];

describe('files', () => {
  it.each<File>([
    ['deployment.json', { refused: 'STATE_DAMAGED', mend: 'delete' }],
    ['health.json', {}],
    ['nats/owner-1.json', {}],
    ['nats/nats-server_1.ports', {}],
    ['repartition/journal.json', {}],
  ])(
    '%s',
    async (file, { refused, mend }) => {
      const first = await bed.nodes.start('node');
      await first.buy('chair-1');
      await first.stop();
      const path = join(bed.cwd, 'node', file);
      for (const [kind, garbage] of GARBAGE) {
        const before = ((): string => {
          try {
            return readFileSync(path, 'utf8');
          } catch {
            return '{"id":"a"}';
          }
        })();
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, garbage(before));
        const looked = await bed.nodes.rivulet('node', 'doctor');
        expect(`${looked.stdout}${looked.stderr}`, kind).not.toMatch(/BUG|TypeError/);
        if (refused === undefined) continue;
        const ended = await bed.nodes.rivulet('node', 'start', '--grpc-port', '0');
        expect([ended.code, ended.stderr], kind).toEqual([3, expect.stringMatching(`${file} is damaged.*${refused}`)]);
        expect(looked.code, kind).toBe(1);
        writeFileSync(path, before);
      }
      writeFileSync(path, 'nonsense');
      if (mend === 'delete') rmSync(path);
      const again = await bed.nodes.start('node');
      await again.knows('chair-1');
    },
    180_000,
  );
});
