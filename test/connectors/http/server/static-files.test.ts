/** Files of a folder over requests: types, encodings, tags, and no way out of the folder. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StaticFiles, staticFiles } from '../../../../connectors/http/server/static-files.js';

const SCRIPT = 'app-Ab3_xY9-k2.js';
let folder: string;
let files: StaticFiles;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'rivulet-files-'));
  writeFileSync(join(folder, 'index.html'), '<p>hello</p>');
  writeFileSync(join(folder, SCRIPT), 'let a = 1');
  writeFileSync(join(folder, `${SCRIPT}.gz`), gzipSync('let a = 1'));
  writeFileSync(join(folder, `${SCRIPT}.br`), 'as if it were brotli');
  mkdirSync(join(folder, 'within'));
  writeFileSync(join(folder, 'within', 'secret.txt'), 'secret');
  files = staticFiles(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const get = (path: string, headers: Record<string, string> = {}) => files(path, { headers });

describe('files of a folder', () => {
  it.each(['', '/', '/index.html', 'index.html'])(
    'has its index at "%s", which is asked for anew each time',
    (path) => {
      const { status, headers, body } = get(path);
      expect([status, body?.toString()]).toEqual([200, '<p>hello</p>']);
      expect(headers).toMatchObject({ 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-cache' });
    },
  );

  it('lets what has a hash in its name be kept for good', () => {
    expect(get(`/${SCRIPT}`).headers['cache-control']).toBe('public, max-age=31536000, immutable');
  });

  it.each([
    ['gzip, deflate', 'gzip'],
    ['gzip, br', 'br'],
    ['br;q=0, gzip;q=0.5', 'gzip'],
    ['*', 'br'],
    ['identity', undefined],
    ['gzip;q=0', undefined],
  ])('to who accepts %s sends %s', (accepted, encoding) => {
    const { headers, body } = get(`/${SCRIPT}`, { 'accept-encoding': accepted });
    expect(headers['content-encoding']).toBe(encoding);
    expect(headers['vary']).toBe('accept-encoding');
    if (encoding === 'gzip') expect(gunzipSync(body!).toString()).toBe('let a = 1');
    if (encoding === undefined) expect(body!.toString()).toBe('let a = 1');
  });

  it('says nothing again of what is known, by the tag of its encoding', () => {
    const plain = get(`/${SCRIPT}`).headers['etag']!;
    const packed = get(`/${SCRIPT}`, { 'accept-encoding': 'br' }).headers['etag']!;
    expect(packed).not.toBe(plain);
    const again = get(`/${SCRIPT}`, { 'if-none-match': `"other", W/${plain}` });
    expect([again.status, again.body, again.headers['etag']]).toEqual([304, undefined, plain]);
    expect(get(`/${SCRIPT}`, { 'if-none-match': packed }).status).toBe(200);
  });

  it.each(['/missing', '/../index.html', '/within/secret.txt', `/${SCRIPT}.gz`, '/%2e%2e/etc/passwd', '/constructor'])(
    'has nothing at %s',
    (path) => {
      expect(get(path)).toMatchObject({ status: 404 });
    },
  );

  it('lets nothing from elsewhere run, and nothing that stands in the document', () => {
    const policy = get('/').headers['content-security-policy']!;
    expect(policy).toMatch(/default-src 'none'; script-src 'self'; style-src 'self'/);
    expect(policy).not.toMatch(/unsafe|\*|http/);
    expect(get('/').headers['x-content-type-options']).toBe('nosniff');
    const looser = staticFiles(folder, { policy: { 'img-src': "'self' data: https:" } });
    expect(looser('/', { headers: {} }).headers['content-security-policy']).toContain("img-src 'self' data: https:");
  });
});
