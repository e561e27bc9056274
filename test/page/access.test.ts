/** That everyone can use the page: without a mouse, without sight, on a phone, in the dark, behind a strict policy. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { allThere, browsing, noBrowser } from './browser.js';
import type { StandInNode } from './stand-in-node.js';
import { nodeForAll } from './stand-in-nodes.js';
import { skipped } from '../support/requirements.js';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

type AxeFinding = {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string }[];
};

/** What axe-core finds that is serious or worse: its rule, and where. */
async function serious(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const findings = (await page.evaluate('axe.run().then(({ violations }) => violations)')) as AxeFinding[];
  return findings
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

const colourOf = (page: Page): Promise<string> => page.evaluate(() => getComputedStyle(document.body).color);
/** Presses Tab until the element with the focus fits. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let i = 0; i < 120; i++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted) === true, selector)) return;
    await page.keyboard.press('Tab');
  }
  throw new Error(`Tab does not lead to ${selector}`);
}

describe.skipIf(noBrowser)(`the page for everyone, in Chromium${skipped(noBrowser)}`, () => {
  const browser = browsing();
  let node: StandInNode;
  nodeForAll((made) => (node = made));

  it.each(['light', 'dark'] as const)(
    'has no serious finding of axe-core in %s, as opened and with all unfolded',
    async (colorScheme) => {
      const { page } = await browser.open(node, { colorScheme });
      await allThere(page);
      expect(await serious(page)).toEqual([]);
      await page.locator('[data-stage="trending"]').click();
      await page.locator('.letter-toggle').first().click();
      await page.getByLabel('How many').fill('0');
      await page.getByLabel('How many').press('Enter');
      await page.locator('.field-error').waitFor();
      expect(await serious(page)).toEqual([]);
    },
  );

  it.each(['light', 'dark'] as const)(
    'has no serious finding of axe-core in %s on a phone, and when all goes wrong',
    async (colorScheme) => {
      const { page } = await browser.open(node, { colorScheme, viewport: { width: 375, height: 700 } });
      await allThere(page);
      await page.getByRole('tab', { name: /Late events/ }).click();
      await page.getByRole('table', { name: 'Late events' }).waitFor();
      expect(await serious(page)).toEqual([]);
      node.faults.set('/', {
        status: 503,
        reason: 'NOT_READY',
        title: 'Service Unavailable',
        detail: 'it starts',
        retry_after_seconds: 1,
      });
      await page.getByRole('button', { name: 'Random user' }).click();
      await page.getByText('No figures', { exact: true }).waitFor();
      await page.locator('.recommendations .notice').waitFor();
      expect(await serious(page)).toEqual([]);
      node.faults.clear();
    },
  );

  it('has no serious finding where it asks for a token', async () => {
    node.token = 'letmein';
    const { page } = await browser.open(node);
    await page.getByLabel('Bearer token').waitFor();
    expect(await serious(page)).toEqual([]);
    node.token = undefined;
  });

  it('is used with the keyboard alone', async () => {
    const { page } = await browser.open(node);
    await allThere(page);
    await page.keyboard.press('Tab');
    expect(await page.evaluate(() => document.activeElement?.textContent.trim())).toBe('Skip to content');
    await tabTo(page, '#reco-user_id');
    await page.keyboard.press('Control+A');
    await page.keyboard.type('ann');
    await page.keyboard.press('Enter');
    await page.getByRole('table', { name: 'Recommendations for ann,' }).waitFor();
    await tabTo(page, '[name="Window"]');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => node.asked.some((path) => path.includes('window=24h'))).toBe(true);
    await tabTo(page, '[data-stage="window"]');
    await page.keyboard.press('Enter');
    await page.getByRole('table', { name: 'Partitions of window' }).waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('window');
    await page.keyboard.press('Escape');
    await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute('data-stage'))).toBe('window');
    await tabTo(page, '[role="tab"]');
    await page.keyboard.press('ArrowRight');
    await page.getByRole('table', { name: 'Late events' }).waitFor();
    await page.keyboard.press('ArrowLeft');
    await tabTo(page, '.letter-actions button');
    await page.keyboard.press('Enter');
    await page.getByText('Published again on').waitFor();
  });

  it('shows where the focus is', async () => {
    const { page } = await browser.open(node);
    await allThere(page);
    for (const selector of ['#reco-user_id', '.primary', '[data-stage="parse"]']) {
      await tabTo(page, selector);
      const look = await page
        .locator(selector)
        .first()
        .evaluate((one) => {
          const { outlineStyle, strokeWidth } = getComputedStyle(one);
          return outlineStyle === 'solid' || strokeWidth === '3px';
        });
      expect([selector, look]).toEqual([selector, true]);
    }
  });

  it('says aloud what was asked for, and little else', async () => {
    const { page } = await browser.open(node);
    await page
      .getByRole('status')
      .filter({ hasText: '10 recommendations for user-0815.' })
      .waitFor({ state: 'attached' });
    await allThere(page);
    expect(await page.locator('.trending [aria-live], .topology [aria-live], .figures [aria-live]').count()).toBe(0);
  });

  it('is dark where the system is, and light when it is told so, also next time', async () => {
    const { page } = await browser.open(node, { colorScheme: 'dark' });
    const dark = await colourOf(page);
    await page.getByRole('button', { name: 'Use the light theme' }).click();
    const light = await colourOf(page);
    expect(light).not.toBe(dark);
    await page.reload();
    expect(await colourOf(page)).toBe(light);
    await page.getByRole('button', { name: 'Use the dark theme' }).click();
    expect(await colourOf(page)).toBe(dark);
    await page.emulateMedia({ colorScheme: 'light' });
    // What the system had was not written down: the page goes with it.
    await expect.poll(() => colourOf(page)).toBe(light);
  });

  it('keeps a user id of any length in its own column', async () => {
    const { page } = await browser.open(node);
    await allThere(page);
    const detail = `user_id is ${'x'.repeat(300)}: send at most 256 bytes`;
    const errors = [{ field: 'user_id', detail }];
    node.faults.set('/reco', { status: 400, reason: 'INVALID_FIELD', detail: 'a field is wrong', errors });
    await page.getByLabel('User id').fill('x'.repeat(300));
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.locator('.field-error').waitFor();
    node.faults.clear();
    const [input, error, next] = await Promise.all(
      ['#reco-user_id', '.field-error', '#reco-n'].map((one) => page.locator(one).boundingBox()),
    );
    for (const box of [input, error]) expect(box!.x + box!.width).toBeLessThanOrEqual(next!.x);
    expect(await page.locator('.field-error').evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
  });

  it('stands still for those who have asked for less motion', async () => {
    const { page } = await browser.open(node, { reducedMotion: 'reduce' });
    await allThere(page);
    await node.publish([
      { event_type: 'click', event_time: new Date().toISOString(), user_id: 'ann', item_id: 'comet' },
    ]);
    expect(await page.evaluate(() => document.getAnimations().length)).toBe(0);
  });

  it('loads three files from its own server, and shows something before it has asked for anything', async () => {
    const { page, complaints } = await browser.open(node);
    await allThere(page);
    const loaded = await page.evaluate(() => {
      const [paint] = performance.getEntriesByName('first-contentful-paint');
      const files = performance.getEntriesByType('resource') as (PerformanceResourceTiming & {
        readonly renderBlockingStatus: string;
      })[];
      return {
        firstPaintMs: Math.round(paint!.startTime),
        files: files.filter(({ initiatorType }) => initiatorType !== 'fetch').map(({ name }) => name),
        blocking: files
          .filter((file) => file.renderBlockingStatus === 'blocking')
          .map(({ name }) => new URL(name).pathname),
      };
    });
    console.log(`first contentful paint after ${loaded.firstPaintMs} ms`);
    expect(loaded.files.every((name) => name.startsWith(`${node.url}/ui/`))).toBe(true);
    expect(loaded.blocking.map((path) => path.replace(/-[\w-]{10}\./, '.')).sort()).toEqual([
      '/ui/page.css',
      '/ui/page.js',
    ]);
    expect(complaints).toEqual([]);
  });

  it('runs nothing that stands in the document itself', async () => {
    const { page } = await browser.open(node);
    await allThere(page);
    const refused = await page.evaluate(async () => {
      const refusal = new Promise<string>((resolve) => {
        document.addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective));
      });
      const script = document.createElement('script');
      script.textContent = 'globalThis.wasRun = true';
      document.head.append(script);
      return [await refusal, 'wasRun' in globalThis];
    });
    expect(refused).toEqual(['script-src-elem', false]);
  });
});
