/** What the build makes of the page: few files, small, with names that change with their bytes. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bundledPage } from './browser.js';

const folder = bundledPage();
const names = readdirSync(folder);
const read = (name: string): Buffer => readFileSync(join(folder, name));
const plain = names.filter((name) => !/\.(br|gz)$/.test(name));

it('is a document, a script, a style sheet and an icon, named by their bytes', () => {
  expect(plain.map((name) => name.replace(/-[\w-]{10}\./, '.')).sort()).toEqual([
    ...['favicon.svg', 'index.html', 'page.css', 'page.js'],
  ]);
  for (const name of plain.filter((one) => one !== 'index.html')) {
    expect(name).toContain(createHash('sha256').update(read(name)).digest('base64url').slice(0, 10));
  }
});

it('takes at most 150 KiB compressed in all, by either way', () => {
  const total = (ending: string): number => plain.reduce((sum, name) => sum + read(name + ending).length, 0);
  expect(total('.br')).toBeLessThan(150 * 1024);
  expect(total('.gz')).toBeLessThan(150 * 1024);
});

it('is compressed without loss', () => {
  for (const name of plain) {
    expect(brotliDecompressSync(read(`${name}.br`)).equals(read(name))).toBe(true);
    expect(gunzipSync(read(`${name}.gz`)).equals(read(name))).toBe(true);
  }
});

it('names nothing of another server, and has nothing inline', () => {
  const html = read('index.html').toString();
  expect(html.match(/(?:src|href)="[^"]*"/g)).toEqual([
    ...[/href="\.\/favicon-/, /href="\.\/page-.*css"/, /src="\.\/page-.*js"/].map((one) => expect.stringMatching(one)),
  ]);
  expect(html).not.toMatch(/<style|style=|<script>|\son\w+=/);
  const style = plain.find((name) => name.endsWith('.css'))!;
  expect(read(style).toString()).not.toMatch(/url\(|@import/);
});
