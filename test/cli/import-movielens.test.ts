/** `rivulet import movielens` and `rivulet validate`, from a zip file to titled lists. */
import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { connectRivulet } from '../../connectors/grpc/client/client.js';
import { eventually } from '../support/eventually.js';
import { zipFile } from '../support/zip-file.js';
import { runCli, startCli } from './run-cli.js';
import { smallBed } from './small-node.js';

const bed = smallBed();
const FILMS = ['Heat (1995)', 'Casino (1995)', 'Sabrina (1995)', 'Persuasion (1995)'];

/** MovieTweetings: ids with leading zeros, ratings of 0 to 10. Everybody likes crime, and nobody has seen all of it. */
const SET = {
  'movietweetings/movies.dat': FILMS.map((title, i) => `000${i}::${title}::${i < 2 ? 'Crime|Drama' : 'Romance'}`).join(
    '\n',
  ),
  'movietweetings/ratings.dat': [
    '1::0000::9::1381006850',
    '1::0001::8::1381006851',
    '2::0000::10::1381006852',
    '3::0002::2::1381006853',
  ].join('\n'),
};

it('a zip file becomes a checked copy, titles, and lists', async () => {
  const node = await bed.nodes.start('node');
  writeFileSync(join(bed.cwd, 'movietweetings.zip'), zipFile(SET));
  const args = ['--nats-url', bed.server.url, '--bronze', 'bronze'];
  const first = await runCli(bed.cwd, ['import', 'movielens', 'movietweetings.zip', ...args]);
  expect([first.code, first.stderr]).toEqual([0, '']);
  const [, folder] = /^movies\.dat 4, ratings\.dat 4 in (.+)$/m.exec(first.stdout)!;
  expect(first.stdout).toMatch(/^imported 4 events/m);
  // The date of the newest rating: nothing else says which edition it is.
  expect(folder).toMatch(/bronze\/movietweetings\/2013-10-05\/ingestion_date=/);

  const client = await connectRivulet(node.address);
  try {
    await eventually(async () => {
      const { items } = await client.getRecommendations({ userId: '2', limit: 5 });
      expect(items.map(({ itemId, title }) => [itemId, title])).toContainEqual(['0001', 'Casino (1995)']);
    });
  } finally {
    client.close();
  }

  const again = await runCli(bed.cwd, ['import', 'movielens', 'movietweetings.zip', ...args]);
  expect(again.stdout).toContain('imported before');

  expect((await runCli(bed.cwd, ['validate', folder!])).stdout).toMatch(/2 files, 8 rows: all as received/);
  appendFileSync(join(folder!, 'ratings.dat'), '\n4::0001::3::5');
  const damaged = await runCli(bed.cwd, ['validate', folder!]);
  expect([damaged.code, damaged.stdout]).toEqual([
    1,
    expect.stringContaining('ratings.dat: rows 5, in the manifest 4'),
  ]);
});

it('a set is imported, trained from and served by one command, and the list of a newcomer follows', async () => {
  writeFileSync(join(bed.cwd, 'movietweetings.zip'), zipFile(SET));
  const small = ['--partitions', '1', '--grpc-port', '0', '--http-port', '0', '--data-dir', 'films'];
  const demo = startCli(bed.cwd, ['demo', '--movielens', 'movietweetings.zip', ...small]);
  onTestFinished(async () => {
    demo.child.kill('SIGTERM');
    await demo.ended;
  });
  const [, address] = await demo.printed(/newcomer --address (127\.0\.0\.1:\d+)/);
  const { code, stdout } = await runCli(bed.cwd, ['newcomer', '--address', address!, '--rating', '4']);
  expect(code).toBe(0);
  // Films 0 and 1 go together; 2 is of another taste, and 3 was seen by nobody.
  expect(stdout).toMatch(/rated Heat \(1995\); \d+ ms later/);
  expect(stdout).toMatch(/rated Casino \(1995\); \d+ ms later/);
  expect(stdout.split('later:')[1]).toMatch(/^1 +0001 +Casino \(1995\)/m);
  const refused = await runCli(bed.cwd, ['newcomer', '--address', address!, '--rating', '40']);
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/rating.*\nhint: give other --items/)]);
  demo.child.kill('SIGTERM');
  expect((await demo.ended).code).toBe(0);
});

it('films have their genres and their most frequent tags', async () => {
  const node = await bed.nodes.start('node');
  const [, http] = await node.running.printed(/HTTP at (http:\S+?)\/?,/);
  const set = {
    'ratings.csv': 'userId,movieId,rating,timestamp\n1,6,4.0,1381006850\n',
    'movies.csv': 'movieId,title,genres\n6,Heat (1995),Action|Crime\n16,Casino (1995),Crime\n',
    'tags.csv': 'userId,movieId,tag,timestamp\n1,6,Heist,1\n2,6,slow,2\n3,6,heist,3\n',
  };
  mkdirSync(join(bed.cwd, 'ml-latest-small'));
  for (const [name, content] of Object.entries(set)) writeFileSync(join(bed.cwd, 'ml-latest-small', name), content);
  const args = ['--nats-url', bed.server.url, '--bronze', 'bronze'];
  const { code, stderr } = await runCli(bed.cwd, ['import', 'movielens', 'ml-latest-small', ...args]);
  expect([code, stderr]).toEqual([0, '']);
  const item = async (id: string): Promise<unknown> => (await fetch(`${http}/items/${id}`)).json();
  await eventually(async () => {
    expect(await item('6')).toMatchObject({ title: 'Heat (1995)', category: 'Action|Crime', tags: ['heist', 'slow'] });
    expect(await item('16')).toEqual({
      ...{ item_id: '16', title: 'Casino (1995)', category: 'Crime', updated_at: expect.any(String) },
    });
  });
});

it('only copies without a node, and refuses what is no set', async () => {
  writeFileSync(join(bed.cwd, 'ml-1m.zip'), zipFile({ 'ml-1m/ratings.dat': '1::2::3::4\n' }));
  const { code, stdout } = await runCli(bed.cwd, [
    'import',
    'movielens',
    'ml-1m.zip',
    '--copy-only',
    '--bronze',
    'bronze',
  ]);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/^ratings\.dat 1 in .*bronze\/movielens\/1m\/ingestion_date=\d{4}-\d\d-\d\d$/m),
  ]);
  writeFileSync(join(bed.cwd, 'photos.zip'), zipFile({ 'a.jpg': 'x' }));
  const other = await runCli(bed.cwd, ['import', 'movielens', 'photos.zip', '--copy-only', '--bronze', 'bronze']);
  expect([other.code, other.stderr]).toEqual([2, expect.stringContaining('photos.zip has no files of ratings')]);
});
