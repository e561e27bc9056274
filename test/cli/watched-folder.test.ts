/** `rivulet start --watch`: what a node says of files, and of a folder, that cannot be read. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { liveBed } from '../support/live-bed.js';
import { outputOf, runCli } from './run-cli.js';

const bed = liveBed(['--set', 'partitions=1', '--set', 'sources.settleSeconds=0.3']);

const rivulet = (...args: readonly string[]): Promise<string> => outputOf(bed.cwd, args);

it('a folder that is not there, or is a file, is a wrong use', async () => {
  const file = join(bed.place, 'file');
  writeFileSync(file, '');
  for (const [folder, says] of [
    [join(bed.place, 'absent'), 'there is no folder'],
    [file, 'is a file, not a folder'],
  ] as const) {
    const { code, stderr } = await runCli(bed.cwd, ['start', '--data-dir', 'never', '--watch', folder]);
    expect([code, stderr]).toEqual([2, expect.stringContaining(says)]);
    expect(stderr).toContain('give the folder to watch with --watch');
  }
});

it('bad rows are dead letters with file and line; a bad file is a warning until it is replaced', async () => {
  const folder = join(bed.place, 'incoming');
  mkdirSync(folder);
  const put = (name: string, ...lines: string[]): void => writeFileSync(join(folder, name), `${lines.join('\n')}\n`);
  const row = (user: string): string => `${new Date().toISOString()},view,${user},i1`;
  const header = 'event_time,event_type,user_id,product_id';
  put('a.csv', 'time,what', '1,2');
  put('b.csv', header, row('u1'), 'no time,view,u1,i1');
  put('c.jsonl', JSON.stringify({ event_type: 'view', event_time: new Date().toISOString(), user_id: 'u2' }));
  const server = await bed.server();
  const node = await bed.node('node', server, ['--watch', folder]);
  await node.start();
  const at = ['--nats-url', server.url];

  const letters = await eventually(async () => {
    const found = JSON.parse(await rivulet('dlq', 'ls', '--json', ...at)) as Record<string, unknown>[];
    expect(found).toHaveLength(2);
    return found;
  });
  expect(letters.map(({ file, line }) => [file, line])).toEqual([
    ['c.jsonl', 1],
    ['b.csv', 3],
  ]);
  const [json, csv] = letters.map(({ id }) => id as string);
  await rivulet('dlq', 'retry', json!, '--set', 'item_id=i2', ...at);
  const refused = await runCli(bed.cwd, ['dlq', 'retry', csv!, ...at]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toContain('is a row of b.csv, which cannot be read without its header');

  const warned = await rivulet('doctor', '--data-dir', node.dataDir, ...at).catch((error: unknown) => String(error));
  expect(warned).toContain('a.csv, line 1: the header lacks');
  put('a.csv', header, row('u3'));
  await eventually(async () => {
    const { events } = JSON.parse(await rivulet('history', 'ls', '--json', ...at)) as { events: number };
    expect(events).toBe(3);
  });
}, 120_000);

it('two nodes that watch one folder take in each file once, also when one is killed; `repair --start-anew` does not read them again', async () => {
  const folder = join(bed.place, 'shared');
  mkdirSync(folder);
  const header = 'event_time,event_type,user_id,product_id';
  let rows = 0;
  const put = (name: string): void => {
    const lines = Array.from({ length: 200 }, () => `${new Date().toISOString()},view,u${rows % 50},i${rows++}`);
    writeFileSync(join(folder, name), `${[header, ...lines].join('\n')}\n`);
  };
  const server = await bed.server();
  const at = ['--nats-url', server.url];
  const inHistory = async (): Promise<number> =>
    (JSON.parse(await rivulet('history', 'ls', '--json', ...at)) as { events: number }).events;
  const nodes = await Promise.all(
    ['one', 'two'].map((name) => bed.node(name, server, ['--watch', folder, '--set', 'leaseSeconds=1'])),
  );
  await Promise.all(nodes.map((node) => node.start()));
  for (let file = 0; file < 12; file++) put(`${file % 2 === 0 ? 'b' : 'a'}-${file}.csv`);
  await eventually(async () => expect(await inHistory()).toBeGreaterThan(0));
  for (let file = 12; file < 20; file++) put(`c-${file}.csv`);
  await nodes[0]!.kill();
  put('last.csv');
  await eventually(async () => expect(await inHistory()).toBe(rows));

  await nodes[1]!.stop();
  await rivulet('repair', '--start-anew', '--yes', '--data-dir', nodes[1]!.dataDir, ...at);
  await nodes[1]!.start();
  put('later.csv');
  await eventually(async () => expect(await inHistory()).toBe(rows));
  const users = (await rivulet('history', 'export', '--format', 'jsonl', ...at)).trimEnd().split('\n');
  expect(new Set(users.map((text) => (JSON.parse(text) as { item_id: string }).item_id)).size).toBe(rows);
  expect(users).toHaveLength(rows);
}, 120_000);
