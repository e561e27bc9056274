/** The page of a real node, from NATS to Chromium. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browsing, noBrowser, soon } from './browser.js';
import type { PageNode, ShopEvent } from './page-node.js';
import { realNode } from './real-node.js';

const event = (type: string, user: string, item: string, agoMs = 0): ShopEvent => ({
  event_type: type,
  event_time: new Date(Date.now() - agoMs).toISOString(),
  user_id: user,
  item_id: item,
  category_code: 'kids.toys',
});

describe.skipIf(noBrowser)('the page of a real node, in Chromium', () => {
  const browser = browsing();
  let node: PageNode;
  beforeAll(async () => {
    node = await realNode();
  }, 120_000);
  afterAll(() => node?.close());

  it('shows what is clicked on, as it is clicked on', async () => {
    const { page, complaints } = await browser.open(node);
    await page.locator('.trending').getByText('Live').waitFor();
    await node.publish([event('click', 'ann', 'rocket'), event('view', 'bob', 'robot')]);
    const rows = page.locator('.trending-list tbody tr');
    await soon(() => rows.allInnerTexts()).toEqual([
      expect.stringContaining('rocket'),
      expect.stringContaining('robot'),
    ]);
    await node.publish([event('click', 'ann', 'robot'), event('click', 'cid', 'robot')]);
    await soon(() => rows.first().innerText()).toMatch(/robot[\s\S]*5/);
    expect(complaints).toEqual([]);
  });

  it('recommends what was bought, to who is known and to who is not', async () => {
    const { page } = await browser.open(node);
    await node.publish([
      event('purchase', 'bob', 'kite'),
      event('purchase', 'cid', 'kite'),
      event('view', 'ann', 'rocket'),
    ]);
    await soon(async () => {
      await page.getByLabel('User id').fill('dora');
      await page.getByRole('button', { name: 'Recommend', exact: true }).click();
      return page.locator('.recommendations tbody').innerText();
    }).toContain('kite');
    await page.getByRole('table', { name: 'Recommendations for dora,' }).waitFor();
    expect(await page.locator('.recommendations tbody').innerText()).toContain('Popular');
    await page.getByRole('button', { name: 'Random user' }).click();
    await soon(() => page.getByLabel('User id').inputValue()).toMatch(/^(ann|bob|cid)$/);
  });

  it('shows at the field what the server has against it', async () => {
    const { page } = await browser.open(node);
    await page.getByLabel('User id').fill('ann');
    await page.getByLabel('How many').fill('500');
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.locator('#reco-n-wrong').waitFor();
    expect(await page.locator('#reco-n-wrong').innerText()).toContain('500');
  });
});
