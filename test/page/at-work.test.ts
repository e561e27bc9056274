/** What someone is at work on stays where it is and can be seen: rows, the focus, what was opened, what was said. */
import type { Locator, Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { browsing, noBrowser } from './browser.js';
import type { StandInNode } from './stand-in-node.js';
import { nodeForEach } from './stand-in-nodes.js';
import { skipped } from '../support/requirements.js';

/** The page asks when somebody comes back to it: nobody has to wait for its next time. */
const askAgain = (page: Page): Promise<void> =>
  page.evaluate(() => void document.dispatchEvent(new Event('visibilitychange')));
const focused = (page: Page): Promise<string | undefined> =>
  page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent);
const topOf = async (one: Locator): Promise<number> => (await one.boundingBox())!.y;

const newer = (page: Page, count: number | string): Locator =>
  page.getByRole('button', { name: `${count} new: show them`, exact: true });

/** Until the list has learnt of what came. */
const seen = (page: Page, what: Locator) =>
  expect
    .poll(async () => {
      await askAgain(page);
      return what.count();
    })
    .toBe(1);

describe.skipIf(noBrowser)(`the page, with someone at work in it, in Chromium${skipped(noBrowser)}`, () => {
  const browser = browsing();
  let node: StandInNode;
  nodeForEach((made) => (node = made));

  it('keeps the rows where they are under the pointer, and shows what came when asked to', async () => {
    const { page } = await browser.open(node);
    const first = page.locator('.letter').first();
    await first.hover();
    const [text, top] = [await first.innerText(), await topOf(first)];
    await node.publish(['{"broken"']);
    await seen(page, newer(page, 1));
    expect([await first.innerText(), await topOf(first)]).toEqual([text, top]);
    await node.publish(['{"broken"']);
    await seen(page, newer(page, 2));
    expect(await newer(page, 2).locator('..').getAttribute('aria-live')).toBe('polite');
    await newer(page, 2).click();
    await expect.poll(() => first.innerText()).toContain('#1204355');
    expect(await newer(page, 2).count()).toBe(0);
    expect(await focused(page)).toBe('Dead letters');
  });

  it('keeps the rows while the focus is in the list, and lets them go with it', async () => {
    const { page } = await browser.open(node);
    const first = page.locator('.letter').first();
    const text = await first.innerText();
    await first.getByRole('button', { name: /^Retry/ }).focus();
    await node.publish(Array.from({ length: 12 }, () => '{"broken"'));
    await seen(page, newer(page, '10 or more'));
    expect(await first.innerText()).toBe(text);
    await page.getByRole('tab', { name: 'Dead letters' }).focus();
    await seen(page, first.getByText('#1204365'));
    expect(await newer(page, '10 or more').count()).toBe(0);
  });

  it('keeps the rows while one is open, wherever the pointer is', async () => {
    const { page } = await browser.open(node);
    await page.locator('.letter-toggle').nth(1).click();
    await page.getByRole('tab', { name: 'Dead letters' }).focus();
    await page.mouse.move(2, 2);
    await node.publish(['{"broken"']);
    await seen(page, newer(page, 1));
    expect(await page.locator('.letter-toggle').nth(1).getAttribute('aria-expanded')).toBe('true');
  });

  it('says below the rows that the server has gone', async () => {
    const { page } = await browser.open(node);
    const first = page.locator('.letter').first();
    await first.hover();
    node.faults.set('/dead-letters', { status: 500, reason: 'INTERNAL', detail: 'it broke' });
    const notice = page.locator('.ledgers .notice');
    await seen(page, notice);
    expect(await topOf(notice)).toBeGreaterThan(await topOf(page.locator('.letter').last()));
  });

  it('keeps late events under the pointer too', async () => {
    const { page } = await browser.open(node);
    await page.getByRole('tab', { name: 'Late events' }).click();
    const first = page.getByRole('table', { name: 'Late events' }).locator('tbody tr').first();
    await first.hover();
    const late = node.shop.late();
    node.shop.late = () => [
      { ...late[0], id: 'late-new', user_id: 'zoe', stored_at: new Date().toISOString() },
      ...late,
    ];
    await seen(page, newer(page, 1));
    expect(await first.innerText()).toContain('user-1000');
    await newer(page, 1).click();
    await expect.poll(() => first.innerText()).toContain('zoe');
  });

  it('keeps the focus at a dead letter that is retried with the keyboard, also when it is waiting no more', async () => {
    const { page } = await browser.open(node);
    await page.getByText('Waiting', { exact: true }).click();
    const letter = page.locator('.letter').first();
    const retry = letter.locator('.letter-actions button');
    await expect.poll(() => retry.count()).toBe(1);
    // Held back by the test: while it is on its way, the button is busy.
    let go = (): void => undefined;
    const held = new Promise<void>((resolve) => (go = resolve));
    await page.route('**/retry*', async (route) => {
      await held;
      await route.continue();
    });
    await retry.focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => retry.getAttribute('aria-disabled')).toBe('true');
    await page.keyboard.press('Enter');
    expect(await focused(page)).toContain('Retry');
    go();
    await letter.getByText('Published again on').waitFor();
    expect(await focused(page)).toContain('Again');
    expect(node.asked.filter((path) => path.includes('/retry'))).toHaveLength(1);
    await node.publish(['{"broken"']);
    await seen(page, newer(page, 1));
    expect(await focused(page)).toContain('Again');
    await newer(page, 1).focus();
    await node.publish(['{"broken"']);
    await seen(page, newer(page, 2));
    expect(await focused(page)).toContain('2 new');
    await page.keyboard.press('Enter');
    await expect.poll(() => letter.innerText()).toContain('#1204355');
    expect(await page.getByText('Published again on').count()).toBe(0);
    expect(await focused(page)).toBe('Dead letters');
  });

  it('keeps the focus at the button that turns the pages', async () => {
    const { page } = await browser.open(node);
    const older = page.getByRole('button', { name: 'Older' });
    await older.focus();
    for (const number of [2, 3]) {
      await page.keyboard.press('Enter');
      await page.getByText(`Page ${number}`, { exact: true }).waitFor();
      await expect.poll(() => page.locator('.letter').count()).toBe(number === 3 ? 3 : 10);
      expect(await focused(page)).toBe('Older');
    }
    expect(await older.getAttribute('aria-disabled')).toBe('true');
  });

  it('names as controlled by a dead letter only what is there', async () => {
    const { page } = await browser.open(node);
    const toggle = page.locator('.letter-toggle').first();
    expect(await toggle.getAttribute('aria-controls')).toBeNull();
    await toggle.click();
    const named = (await toggle.getAttribute('aria-controls'))!;
    expect(await page.locator(`[id="${named}"]`).count()).toBe(1);
  });

  it.each([1280, 375])('hides nothing that has the focus under its head, %d pixels wide', async (width) => {
    const { page } = await browser.open(node, { viewport: { width, height: 600 } });
    await page.locator('.letter').first().waitFor();
    const reasons = ['the first of two reasons', 'another reason, '.repeat(12)];
    const calm = node.shop.status();
    // With its reasons the head is higher.
    node.shop.status = () => ({ ...calm, reasons });
    await page.getByText('the first of two reasons').waitFor();
    const covered = (selector: string): Promise<number> =>
      page.evaluate((which) => {
        const { bottom } = document.querySelector('.page-head')!.getBoundingClientRect();
        return Math.max(0, bottom - document.querySelector(which)!.getBoundingClientRect().top);
      }, selector);
    const putUnderHead = (selector: string): Promise<void> =>
      page.locator(selector).evaluate((one) => scrollBy(0, one.getBoundingClientRect().top - 12));
    await page.locator('#reco-category').focus();
    await putUnderHead('#reco-n');
    expect(await covered('#reco-n')).toBeGreaterThan(0);
    await page.keyboard.press('Shift+Tab');
    await expect.poll(() => page.evaluate(() => document.activeElement?.id)).toBe('reco-n');
    await expect.poll(() => covered('#reco-n')).toBe(0);
    // What is wrong is seen by who has asked further down.
    await page.locator('#reco-n').fill('0');
    await page.locator('.question .primary').focus();
    await putUnderHead('#reco-n');
    await page.keyboard.press('Enter');
    await page.locator('.field-error').waitFor();
    await expect.poll(() => covered('.field-error')).toBe(0);
    expect(await covered('#reco-n')).toBe(0);
  });

  it.each(['reduce', 'no-preference'] as const)(
    'brings the partitions of a chosen stage into view, for who asks for motion: %s',
    async (reducedMotion) => {
      const { page } = await browser.open(node, { viewport: { width: 1280, height: 800 }, reducedMotion });
      await page.evaluate(() => {
        const scroll = Element.prototype.scrollIntoView;
        Element.prototype.scrollIntoView = function (this: Element, options) {
          document.title = `scrolled: ${(options as ScrollIntoViewOptions).behavior}`;
          scroll.call(this, options);
        };
      });
      // What stands above it is there: it would push it down.
      await page.getByRole('table', { name: 'Recommendations for' }).waitFor();
      await page.locator('[data-item]').first().waitFor();
      await page.locator('[data-stage="trending"]').click();
      const panel = page.locator('.stage-panel');
      await panel.getByRole('table').waitFor();
      await expect
        .poll(async () => {
          const { y, height } = (await panel.boundingBox())!;
          return y > 56 && y + height <= 800;
        })
        .toBe(true);
      expect(await page.title()).toBe(`scrolled: ${reducedMotion === 'reduce' ? 'instant' : 'smooth'}`);
    },
  );

  it.each([1280, 1100, 375])('shows the figures of a trending item in full, %d pixels wide', async (width) => {
    const { page } = await browser.open(node, { viewport: { width, height: 800 } });
    node.shop.items[0]!.views = 1_234_567;
    node.shop.items[0]!.clicks = 363_000;
    await node.publish([]);
    const cell = page.locator('.trending-list [data-item="item-0000"] td.item');
    await cell.getByText('1,234,567 views').waitFor();
    const cut = await cell.evaluate((one) => {
      const { right } = one.getBoundingClientRect();
      const sub = one.querySelector('.sub')!;
      return [...sub.querySelectorAll('span')].filter(
        (fact) =>
          fact.getBoundingClientRect().right > right ||
          fact.scrollWidth > fact.clientWidth ||
          (sub.scrollWidth > sub.clientWidth && getComputedStyle(sub).overflow !== 'visible'),
      ).length;
    });
    expect(cut).toBe(0);
  });
});
