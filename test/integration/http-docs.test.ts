/** GET /docs: the page that shows the document, from this node alone. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { asking, httpFacade, problemOf } from '../connectors/http/http-facade.js';

describe('GET /docs', () => {
  it('is a page whose scripts and styles come from here, and nothing in it from elsewhere', async () => {
    const { ask } = await httpFacade();
    for (const path of ['/docs', '/docs/']) {
      const { status, headers, text } = await ask(path);
      expect(status, path).toBe(200);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      const policy = Object.fromEntries(
        (headers['content-security-policy'] as string).split('; ').map((one) => one.split(/ (.*)/s).slice(0, 2)),
      ) as Record<string, string>;
      expect(policy).toMatchObject({ 'default-src': "'none'", 'script-src': "'self'", 'connect-src': "'self'" });
      const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!);
      expect(links).toHaveLength(4);
      for (const link of links) {
        expect(link).toMatch(/^\/docs\//);
        expect((await ask(link)).status, link).toBe(200);
      }
      expect(text).not.toMatch(/<script(?! src)|style=|https?:/);
    }
    expect((await ask('/docs/start.js')).text).toContain("url: '/openapi.json'");
  });

  it('is compressed for who takes that, and kept by who has it', async () => {
    const { ask, port } = await httpFacade();
    const path = '/docs/swagger-ui-bundle.js';
    const plain = await ask(path);
    expect(plain.headers).not.toHaveProperty('content-encoding');
    for (const [encoding, unpack] of [
      ['gzip', gunzipSync],
      ['br', brotliDecompressSync],
    ] as const) {
      const message = await asking(port, path, { headers: { 'accept-encoding': encoding } });
      const parts: Buffer[] = [];
      for await (const part of message) parts.push(part as Buffer);
      expect(message.headers).toMatchObject({ 'content-encoding': encoding, vary: 'accept-encoding' });
      const bytes = Buffer.concat(parts);
      expect(message.headers['content-length']).toBe(String(bytes.length));
      expect(unpack(bytes).toString() === plain.text).toBe(true);
      const headers = { 'if-none-match': message.headers.etag!, 'accept-encoding': encoding };
      expect((await ask(path, { headers })).status).toBe(304);
    }
    const refused = await ask(path, { headers: { 'accept-encoding': 'gzip;q=0' } });
    expect(refused.headers).not.toHaveProperty('content-encoding');
  });

  it.each(['/docs', '/ui/', '/reco/512'])('HEAD %s has the headers of GET, and no body', async (path) => {
    const { ask } = await httpFacade();
    const [head, get] = [await ask(path, { method: 'HEAD' }), await ask(path)];
    expect([head.status, head.text]).toEqual([200, '']);
    expect(head.headers).toMatchObject({
      ...{ 'content-length': String(Buffer.byteLength(get.text)), 'content-type': get.headers['content-type'] },
      etag: get.headers.etag,
    });
  });

  it('has no other files of the package, and leads nowhere else', async () => {
    const { ask } = await httpFacade();
    for (const path of [
      '/docs/package.json',
      '/docs/index.js',
      '/docs/..%2Fpackage.json',
      '/docs/%2e%2e',
      '/docs/x/y',
    ]) {
      expect(problemOf(await ask(path), 404).reason, path).toBe('NOT_FOUND');
    }
  });
});
