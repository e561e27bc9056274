/** Sets of ratings as they are received: folders, zip files and URLs, their films, and their manifest. */
import { createServer } from 'node:http';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { datasetFiles, datasetName } from '../../../connectors/movielens/dataset.js';
import { differences, readManifest, writeManifest } from '../../../connectors/movielens/manifest.js';
import { readMovies } from '../../../connectors/movielens/movies.js';
import { newestDate } from '../../../connectors/movielens/ratings.js';
import { receive } from '../../../connectors/movielens/receive.js';
import { readTags } from '../../../connectors/movielens/tags.js';
import { zipFile } from '../../support/zip-file.js';

const directory = mkdtempSync(join(tmpdir(), 'rivulet-received-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
let folders = 0;
function newFolder(): string {
  const folder = join(directory, `folder-${folders++}`);
  mkdirSync(folder);
  return folder;
}

const SET = {
  'ratings.csv': 'userId,movieId,rating,timestamp\n1,2,3.5,4\n',
  'movies.csv': 'movieId,title,genres\n2,Heat (1995),Crime\n',
};
const received = async (source: string) => {
  const folder = newFolder();
  const names = await receive(source, folder, newFolder(), () => undefined, new AbortController().signal);
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
};

describe('a set is received', () => {
  it('from a folder, without what does not belong to it', async () => {
    const folder = join(newFolder(), 'ml-mine');
    mkdirSync(folder);
    for (const [name, content] of Object.entries({ ...SET, 'notes.txt': 'mine' }))
      writeFileSync(join(folder, name), content);
    expect(await received(folder)).toEqual(SET);
  });

  const inFolder = Object.fromEntries(
    Object.entries({ ...SET, 'u1.base': 'x' }).map(([name, text]) => [`ml-mine/${name}`, text]),
  );

  it('from a zip file, out of the folder in it', async () => {
    const path = join(directory, 'ml-mine.zip');
    writeFileSync(path, zipFile(inFolder));
    expect(await received(path)).toEqual(SET);
  });

  it('from a URL', async () => {
    const server = createServer(({ url }, response) => {
      if (url === '/ml-mine.zip') response.end(zipFile(inFolder));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      expect(await received(`${base}/ml-mine.zip`)).toEqual(SET);
      await expect(received(`${base}/other.zip`)).rejects.toThrow('cannot be downloaded: HTTP 404');
    } finally {
      server.close();
    }
  });

  it('not from a damaged zip file, nor from one that leaves its folder', async () => {
    const path = join(directory, 'bad.zip');
    const whole = zipFile(inFolder);
    writeFileSync(path, whole.subarray(0, whole.length - 10));
    await expect(received(path)).rejects.toMatchObject({ code: 'SOURCE_ZIP' });
    writeFileSync(path, zipFile({ '../ratings.csv': 'x' }));
    await expect(received(path)).rejects.toMatchObject({ code: 'SOURCE_ZIP' });
    await expect(received(join(directory, 'none.zip'))).rejects.toThrow('there is no');
  });
});

describe('films', () => {
  const films = (name: string, content: string | Buffer) => {
    const path = join(newFolder(), name);
    writeFileSync(path, content);
    return readMovies(path);
  };

  it('of MovieLens latest have quoted titles and several genres', async () => {
    const csv =
      'movieId,title,genres\n11,"American President, The (1995)",Comedy|Drama|Romance\r\n12,Nobody (2000),(no genres listed)\n';
    expect(await films('movies.csv', csv)).toEqual([
      { item: '11', title: 'American President, The (1995)', genres: ['Comedy', 'Drama', 'Romance'] },
      { item: '12', title: 'Nobody (2000)', genres: [] },
    ]);
  });

  it('of MovieLens 1M are in Latin-1', async () => {
    const [film] = await films('movies.dat', Buffer.from('73::Misérables, Les (1995)::Drama|Musical\n', 'latin1'));
    expect(film).toEqual({ item: '73', title: 'Misérables, Les (1995)', genres: ['Drama', 'Musical'] });
  });

  it('of MovieTweetings are in UTF-8, some without genres', async () => {
    expect(
      await films('movies-100K.dat', '0002844::Fantômas (1913)::Crime|Drama\n0003000::Nothing (1914)::\n'),
    ).toEqual([
      { item: '0002844', title: 'Fantômas (1913)', genres: ['Crime', 'Drama'] },
      { item: '0003000', title: 'Nothing (1914)', genres: [] },
    ]);
  });

  it('of MovieLens 100k have flags', async () => {
    const row = '1|Toy Story (1995)|01-Jan-1995||http://x|0|0|0|1|1|1|0|0|0|0|0|0|0|0|0|0|0|0|0\n';
    expect(await films('u.item', row)).toEqual([
      { item: '1', title: 'Toy Story (1995)', genres: ['Animation', "Children's", 'Comedy'] },
    ]);
  });

  it('that cannot be read are refused by their line', async () => {
    await expect(films('movies.dat', '1::A::Drama\n2::B\n')).rejects.toThrow('movies.dat, line 2: it is not a film');
    await expect(films('u.item', '1|A|x\n')).rejects.toThrow('u.item, line 1: it is not a film');
  });
});

describe('tags', () => {
  const tags = async (name: string, content: string) => {
    const path = join(newFolder(), name);
    writeFileSync(path, content);
    return Object.fromEntries(await readTags(path));
  };

  it('of a film are the most frequent five, in lower case, of as many the first by name', async () => {
    const rows = [
      ...['1,7,Dark,1', '2,7,dark,2', '3,7, DARK ,3', '1,7,slow,4', '2,7,Slow,5', '1,7,"a, b",6', '1,7,zen,7'],
      ...['1,7,noir,8', '1,7,"""noir""",9', `1,7,${'x'.repeat(101)},10`, '2,8,"a|\n b",11', '3,9,,12'],
    ];
    expect(await tags('tags.csv', `userId,movieId,tag,timestamp\r\n${rows.join('\r\n')}\r\n`)).toEqual({
      7: ['dark', 'slow', '"noir"', 'a, b', 'noir'],
      8: ['a b'],
    });
    expect(await tags('tags.dat', '1::7::Dark::1\n1::7::dark::2\n1::7::a::b::3\n')).toEqual({ 7: ['dark', 'a::b'] });
  });

  it('that cannot be read are refused by their line', async () => {
    await expect(tags('tags.csv', 'userId,movieId,tag,timestamp\n1,2,a,b,3\n')).rejects.toThrow(
      'tags.csv, line 2: it is not a tag: "1,2,a,b,3"',
    );
  });
});

describe('a manifest', () => {
  const facts = { dataset_name: 'movielens', dataset_version: '1m', source_url: 'file:///ml-1m' };
  const written = async () => {
    const folder = newFolder();
    for (const [name, content] of Object.entries(SET)) writeFileSync(join(folder, name), content);
    return { folder, manifest: await writeManifest(folder, facts, Date.UTC(2026, 10, 25, 1)) };
  };

  it('has bytes, rows without the header, and MD5 of each file', async () => {
    const { folder, manifest } = await written();
    expect(manifest).toEqual({
      ...facts,
      ...{ ingestion_ts: '2026-11-25T01:00:00.000Z', ingestion_date: '2026-11-25' },
      files: [
        // By md5sum.
        { name: 'movies.csv', bytes: 41, rows: 1, md5: '1b99f2e0d150ee3196b8ab484c84c82d' },
        { name: 'ratings.csv', bytes: 42, rows: 1, md5: '4138c8d510d5166c7136230c80c4d5b5' },
      ],
    });
    expect(await readManifest(folder)).toEqual(manifest);
    expect(await differences(folder, manifest)).toEqual([]);
  });

  it.each([
    [
      'a row more',
      (folder: string) => appendFileSync(join(folder, 'ratings.csv'), '5,6,1,7\n'),
      [
        'ratings.csv: bytes 50, in the manifest 42',
        'ratings.csv: rows 2, in the manifest 1',
        expect.stringContaining('ratings.csv: md5'),
      ],
    ],
    ['a file less', (folder: string) => rmSync(join(folder, 'movies.csv')), ['movies.csv is missing']],
    [
      'a file more',
      (folder: string) => writeFileSync(join(folder, 'tags.csv'), ''),
      ['tags.csv is not in the manifest'],
    ],
  ])('notices %s', async (_, change, expected) => {
    const { folder, manifest } = await written();
    change(folder);
    expect(await differences(folder, manifest)).toEqual(expected);
  });

  it('that is missing or something else is refused', async () => {
    const folder = newFolder();
    await expect(readManifest(folder)).rejects.toMatchObject({ code: 'SOURCE_MANIFEST' });
    writeFileSync(join(folder, '_manifest.json'), '{"files": [1]}');
    await expect(readManifest(folder)).rejects.toMatchObject({ code: 'SOURCE_MANIFEST' });
  });
});

it('a set has one file of ratings', () => {
  expect(datasetFiles(['u.data', 'u.item'], 'x')).toEqual({ ratings: 'u.data', movies: 'u.item', tags: undefined });
  expect(datasetFiles(['ratings-100K.dat'], 'x')).toMatchObject({ ratings: 'ratings-100K.dat', movies: undefined });
  expect(datasetFiles(['ratings.csv', 'tags.csv'], 'x')).toMatchObject({ tags: 'tags.csv' });
  expect(() => datasetFiles(['movies.csv'], 'x')).toThrow('x has no files of ratings');
  expect(() => datasetFiles(['ratings.csv', 'ratings.dat'], 'x')).toThrow('x has several files of ratings');
});

it.each([
  ['/data/ml-latest-small', 'ratings.csv', 'movielens', 'latest-small'],
  ['/datasets/movielens/ml-1m.zip', 'ratings.dat', 'movielens', '1m'],
  ['/data/MovieTweetings/latest', 'ratings.dat', 'movietweetings', 'latest'],
  ['/data/MovieTweetings-master/snapshots/200K', 'ratings.dat', 'movietweetings', '200k'],
  ['/data/movietweetings_10K.zip', 'ratings.dat', 'movietweetings', '10k'],
  ['/data/movietweetings', 'ratings-100K.dat', 'movietweetings', '100k'],
  ['/data/movietweetings.zip', 'ratings.dat', 'movietweetings', undefined],
])('a set is named after its folder: %s with %s', (path, ratings, name, version) => {
  expect(datasetName(path, ratings)).toEqual({ name, ...(version === undefined ? {} : { version }) });
});

it('a set without a version in its name has the date of its newest rating', async () => {
  const path = join(newFolder(), 'ratings.dat');
  writeFileSync(path, '1::2::3::1381006850\n1::3::3::1362062307\n');
  expect(await newestDate(path)).toBe('2013-10-05');
  writeFileSync(path, '');
  expect(await newestDate(path)).toBeUndefined();
});
