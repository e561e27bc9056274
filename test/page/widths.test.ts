/** That the page fits: on a phone, enlarged, and with all of the pipeline drawn. */
import type { Page } from 'playwright-core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { allThere, browsing, noBrowser } from './browser.js';
import type { StandInNode } from './stand-in-node.js';
import { nodeForAll } from './stand-in-nodes.js';
import { skipped } from '../support/requirements.js';

const isWide = (page: Page): Promise<boolean> =>
  page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);

/** What of the panels has text that stands out of them to the right. */
const wideIn = (page: Page, selector: string): Promise<string[]> =>
  page.locator(selector).evaluateAll((panels) =>
    panels.flatMap((panel) => {
      const { right } = panel.getBoundingClientRect();
      return [...panel.querySelectorAll('code, .title, .category, .hint, button')]
        .filter((one) => !one.matches('.unseen *') && one.getBoundingClientRect().right > right + 0.5)
        .map((one) => `${panel.className}: ${one.outerHTML.slice(0, 80)}`);
    }),
  );

/** What of the pipeline cannot be seen, not even by scrolling it; and what lies over something else. */
const outsideOfMap = (page: Page): Promise<string[]> =>
  page.locator('.map').evaluate((map) => {
    const { left, top, right } = map.getBoundingClientRect();
    const canScroll = map.tabIndex === 0 && map.scrollWidth > map.clientWidth;
    const end = canScroll ? left + map.scrollWidth : Math.min(right, innerWidth);
    const cards = [...map.querySelectorAll('.node')].map((node) => ({
      name: node.querySelector('.name')!.textContent,
      box: node.querySelector('.card')!.getBoundingClientRect(),
      text: [...node.querySelectorAll('text')].map((text) => text.getBoundingClientRect()),
    }));
    const found = cards
      .filter(({ box }) => box.left < left - 0.5 || box.right > end + 0.5 || box.top < top - 0.5)
      .map(({ name }) => `${name} is outside`);
    for (const { name, box, text } of cards) {
      if (text.some((one) => one.left < box.left || one.right > box.right)) found.push(`${name} has text outside`);
      for (const other of cards) {
        if (other.name <= name) continue;
        const apart = other.box.left >= box.right || other.box.right <= box.left;
        if (!apart && other.box.top < box.bottom && other.box.bottom > box.top)
          found.push(`${name} and ${other.name} overlap`);
      }
    }
    return found;
  });

describe.skipIf(noBrowser)(`the page at any width, in Chromium${skipped(noBrowser)}`, () => {
  const browser = browsing();
  let node: StandInNode;
  nodeForAll((made) => (node = made));

  const narrow = [320, 375].flatMap((width) => (['light', 'dark'] as const).map((look) => [width, look] as const));

  it.each(narrow)('is never wider than %d pixels, in %s', async (width, colorScheme) => {
    // 320 by 256 is what is left of 1280 by 1024 when it is enlarged four times (WCAG 1.4.10).
    const { page } = await browser.open(node, { colorScheme, viewport: { width, height: width === 320 ? 256 : 800 } });
    await allThere(page);
    expect(await isWide(page)).toBe(false);
    await page.locator('[data-stage="trending"]').click();
    await page.getByRole('table', { name: 'Partitions of trending' }).waitFor();
    await page.locator('.letter-toggle').first().click();
    await page.getByLabel('User id').fill('a-very-long-name-'.repeat(15));
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.getByRole('table', { name: 'a-very-long-name' }).waitFor();
    expect(await isWide(page)).toBe(false);
    await page.getByRole('tab', { name: /Late events/ }).click();
    await page.getByRole('table', { name: 'Late events' }).waitFor();
    expect(await isWide(page)).toBe(false);
    // What stands in the drawing stands within it.
    expect(await outsideOfMap(page)).toEqual([]);
  });

  it.each([
    [320, 'user'.repeat(64), 'item'.repeat(64)],
    [375, 'c0ffee42'.repeat(8), 'ba5eba11'.repeat(8)],
    [768, 'user'.repeat(64), 'item'.repeat(64)],
    [1280, 'user'.repeat(64), 'item'.repeat(64)],
  ])('is not wider than %d pixels with ids of any length, named or not', async (width, user, id) => {
    const { shop } = node;
    const { items } = shop;
    onTestFinished(() => void Object.assign(shop, { items }));
    const renamed = items.map((item, i) => ({
      ...item,
      item_id: `${id.slice(2)}${10 + i}`,
      title: i === 0 ? undefined : item.title,
    }));
    Object.assign(shop, { items: renamed });
    const { page } = await browser.open(node, { viewport: { width, height: 800 }, hash: `#user=${user}` });
    await page.getByRole('table', { name: `Recommendations for ${user}` }).waitFor();
    await allThere(page);
    expect(await wideIn(page, '.panel')).toEqual([]);
    expect(await isWide(page)).toBe(false);
    await page.getByRole('tab', { name: /Late events/ }).click();
    await page.getByRole('table', { name: 'Late events' }).waitFor();
    expect(await wideIn(page, '.panel')).toEqual([]);
    expect(await isWide(page)).toBe(false);
  });

  it('is not wider than 320 pixels with the longest words in its head, which leaves the rest its room', async () => {
    const { page } = await browser.open(node, { viewport: { width: 320, height: 256 } });
    await allThere(page);
    const status = node.shop.status();
    node.shop.status = () => ({ ...status, reasons: [`the disk of ${'node-a.'.repeat(20)} is nearly full`] });
    await page.getByText('Serving, with care').waitFor();
    Reflect.deleteProperty(node.shop, 'status');
    expect(await isWide(page)).toBe(false);
    expect(await page.locator('.page-head').evaluate((one) => one.scrollWidth - one.clientWidth)).toBe(0);
    await page.getByRole('heading', { name: 'Kept aside' }).scrollIntoViewIfNeeded();
    expect(await page.locator('.page-head').evaluate((one) => one.getBoundingClientRect().bottom)).toBeLessThan(0);
  });

  it('shows what is trending with its whole title on a phone', async () => {
    const { page } = await browser.open(node, { viewport: { width: 375, height: 800 } });
    await allThere(page);
    const cut = await page
      .locator('.trending-list .item > .title')
      .evaluateAll((titles) =>
        titles
          .filter((one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1)
          .map(({ textContent }) => textContent),
      );
    expect(cut).toEqual([]);
  });

  it.each([320, 375, 480, 768, 1024, 1280])('draws all of the pipeline within %d pixels', async (width) => {
    const { page } = await browser.open(node, { viewport: { width, height: 800 } });
    await allThere(page);
    expect(await page.locator('[data-stage]').count()).toBe(12);
    expect(await outsideOfMap(page)).toEqual([]);
    expect(await page.locator('.map').evaluate((map) => map.scrollWidth - map.clientWidth)).toBe(0);
    expect(await isWide(page)).toBe(false);
  });
});
