/** A real Chromium, and the page in it. */
import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { ROOT } from '../guards/source-files.js';
import type { PageNode } from './page-node.js';
import { type Missing } from '../support/requirements.js';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
const ARGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];
/** What Chromium says by itself of every answer that is an error. */
const ANSWERED = /^Failed to load resource/;

function onPath(name: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const executablePath = NAMES.map(onPath).find((path) => path !== undefined);

export const noBrowser: Missing = executablePath === undefined ? 'there is no Chromium' : undefined;

export interface OpenedPage {
  readonly page: Page;
  /** Errors on the console, exceptions, and what the security policy has refused. */
  readonly complaints: readonly string[];
}

export interface Browsing {
  /** Opens the page of a node; it is closed when the test is over. */
  open(
    node: Pick<PageNode, 'url'>,
    options?: BrowserContextOptions & { readonly hash?: string; readonly path?: string },
  ): Promise<OpenedPage>;
}

/** One browser for a test file; each page is a visitor of its own. */
export function browsing(): Browsing {
  let browser: Browser | undefined;
  beforeAll(async () => {
    if (executablePath !== undefined) browser = await chromium.launch({ executablePath, args: ARGS });
  });
  afterAll(() => browser?.close());
  return {
    async open(node, { hash = '', path = '/ui/', ...options } = {}) {
      const context = await browser!.newContext({ viewport: { width: 1280, height: 900 }, ...options });
      onTestFinished(() => context.close());
      context.setDefaultTimeout(30_000);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error)));
      page.on('console', (message) => {
        if (message.type() === 'error' && !ANSWERED.test(message.text())) complaints.push(message.text());
      });
      await page.goto(`${node.url}${path}${hash}`);
      return { page, complaints };
    },
  };
}

/** The page as `npm run build` makes it, in a folder of this test file's own. */
export function bundledPage(): string {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-page-'));
  execFileSync(process.execPath, [join(ROOT, 'bundle-page.mjs'), folder], { stdio: 'pipe' });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Every section shows what it has. */
export async function allThere(page: Page): Promise<void> {
  await page.getByRole('table', { name: 'Recommendations for' }).waitFor();
  await page.locator('[data-item]').first().waitFor();
  await page.locator('[data-stage]').first().waitFor();
  await page.locator('.letter').first().waitFor();
}
