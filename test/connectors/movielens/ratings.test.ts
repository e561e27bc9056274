import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Rating, readRatings } from '../../../connectors/movielens/ratings.js';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-ratings-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});

function file(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

async function all(path: string): Promise<Rating[]> {
  const found = [];
  for await (const rating of readRatings(path)) found.push(rating);
  return found;
}

it.each([
  ['MovieLens 100k', 'u.data', '1\t10\t4\t881250949\n2\t11\t3.5\t891717742\n'],
  ['MovieLens 1M', 'ratings.dat', '1::10::4::881250949\r\n2::11::3.5::891717742'],
  ['MovieLens latest', 'ratings.csv', 'userId,movieId,rating,timestamp\n1,10,4.0,881250949\n2,11,3.5,891717742\n'],
])('the ratings of %s', async (_, name, content) => {
  expect(await all(file(name, content))).toEqual([
    { user: '1', item: '10', rating: 4, seconds: 881_250_949 },
    { user: '2', item: '11', rating: 3.5, seconds: 891_717_742 },
  ]);
});

it.each([
  ['1::10::4', 'line 2: it has 3 fields, not 4'],
  ['1::10::four::5', 'line 2: the rating is "four", not a number'],
  ['1::10::4::soon', 'line 2: the time is "soon", not whole epoch seconds'],
  ['::10::4::5', 'line 2: a field is empty'],
])('refuses the row %s', async (row, problem) => {
  await expect(all(file('bad.dat', `1::10::4::881250949\n${row}\n`))).rejects.toThrow(problem);
});
