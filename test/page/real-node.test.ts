/** The page of a real node, from NATS to Chromium. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browsing, noBrowser } from './browser.js';
import type { PageNode, ShopEvent } from './page-node.js';
import { realNode } from './real-node.js';
import { skipped } from '../support/requirements.js';

const event = (type: string, user: string, item: string, agoMs = 0): ShopEvent => ({
  event_type: type,
  event_time: new Date(Date.now() - agoMs).toISOString(),
  user_id: user,
  item_id: item,
  category_code: 'kids.toys',
});

describe.skipIf(noBrowser)(`the page of a real node, in Chromium${skipped(noBrowser)}`, () => {
  const browser = browsing();
  let node: PageNode;
  beforeAll(async () => {
    node = await realNode();
  });
  afterAll(() => node?.close());

  it('shows what is clicked on, as it is clicked on', async () => {
    const { page, complaints } = await browser.open(node);
    await page.locator('.trending').getByText('Live').waitFor();
    await node.publish([event('click', 'ann', 'rocket'), event('view', 'bob', 'robot')]);
    const rows = page.locator('.trending-list tbody tr');
    await expect
      .poll(() => rows.allInnerTexts())
      .toEqual([expect.stringContaining('rocket'), expect.stringContaining('robot')]);
    await node.publish([event('click', 'ann', 'robot'), event('click', 'cid', 'robot')]);
    await expect.poll(() => rows.first().innerText()).toMatch(/robot[\s\S]*5/);
    expect(complaints).toEqual([]);
  });

  it('recommends what was bought, to who is known and to who is not', async () => {
    const { page } = await browser.open(node);
    await node.publish([
      event('purchase', 'bob', 'kite'),
      event('purchase', 'cid', 'kite'),
      event('view', 'ann', 'rocket'),
    ]);
    await expect
      .poll(async () => {
        await page.getByLabel('User id').fill('dora');
        await page.getByRole('button', { name: 'Recommend', exact: true }).click();
        return page.locator('.recommendations tbody').innerText();
      })
      .toContain('kite');
    await page.getByRole('table', { name: 'Recommendations for dora,' }).waitFor();
    expect(await page.locator('.recommendations tbody').innerText()).toContain('Popular');
    await page.getByRole('button', { name: 'Random user' }).click();
    await expect.poll(() => page.getByLabel('User id').inputValue()).toMatch(/^(ann|bob|cid)$/);
  });

  it('shows at the field what the server has against it', async () => {
    const { page } = await browser.open(node);
    await page.getByLabel('User id').fill('ann');
    await page.getByLabel('How many').fill('500');
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.locator('#reco-n-wrong').waitFor();
    expect(await page.locator('#reco-n-wrong').innerText()).toContain('500');
  });

  it('shows every stage as it runs, and its partitions at a click', async () => {
    const { page, complaints } = await browser.open(node);
    const stage = page.getByRole('button', { name: /^window: Running, 4 of 4 partitions running/ });
    await stage.click();
    const table = page.getByRole('table', { name: 'Partitions of window' });
    await expect.poll(() => table.getByRole('row').count()).toBe(5);
    await page.getByText('reads from watermark; writes to interest-ranking, late').waitFor();
    expect(complaints).toEqual([]);
  });

  it('shows the watermark where it is made, and says where there is none', async () => {
    const { page } = await browser.open(node);
    await node.publish([event('view', 'ann', 'rocket')]);
    await page.getByRole('button', { name: /^watermark: .*, watermark behind by \d+ min, / }).waitFor();
    await page.getByRole('button', { name: /^parse: .*, no watermark: it is made further on, by watermark, / }).click();
    await page.locator('.stage-panel').getByText('no watermark: it is made further on, by watermark').waitFor();
    await page.getByRole('table', { name: 'Partitions of parse' }).getByText('none', { exact: true }).waitFor();
    await page
      .getByRole('button', {
        name: /^recommendations: .*, no watermark: only stages that read from watermark have it, /,
      })
      .waitFor();
  });

  it('mends a refused event, and it is counted', async () => {
    const { page, complaints } = await browser.open(node);
    await node.publish([JSON.stringify({ ...event('purchase', 'eve', 'drum'), price: -7 })]);
    const letter = page.locator('.letter', { hasText: 'price' }).first();
    await letter.getByRole('button', { expanded: false }).click();
    expect(await letter.getByLabel('The original event').innerText()).toContain('-7');
    await letter.getByLabel('Value 1').fill('7');
    await letter.getByRole('button', { name: 'Set and retry' }).click();
    await letter.getByText('Published again on rivulet.events.page').waitFor();
    await letter.locator('.state-word', { hasText: 'Retried' }).waitFor();
    await expect
      .poll(async () => {
        // What is popular is joined with the next thing that somebody is interested in.
        await node.publish([event('view', 'eve', 'drum')]);
        const answer = await fetch(`${node.url}/reco/eve`);
        const { items } = (await answer.json()) as { readonly items: readonly { readonly item_id: string }[] };
        return items.map(({ item_id: item }) => item);
      })
      .toContain('drum');
    expect(complaints).toEqual([]);
  });

  it('lists an event that came too late', async () => {
    const { page } = await browser.open(node);
    await node.publish([event('view', 'fay', 'lamp'), event('view', 'fay', 'old-lamp', 3 * 3_600_000)]);
    await page.getByRole('tab', { name: /Late events/ }).click();
    await page.getByRole('table', { name: 'Late events' }).getByText('old-lamp').waitFor();
  });
});
