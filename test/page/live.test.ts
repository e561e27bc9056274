/** What moves by itself: the trending list, the pipeline, the figures; and dead letters on their way back. */
import { describe, expect, it } from 'vitest';
import { allThere, browsing, noBrowser } from './browser.js';
import type { ShopEvent } from './page-node.js';
import type { StandInNode } from './stand-in-node.js';
import { nodeForEach } from './stand-in-nodes.js';
import { skipped } from '../support/requirements.js';

const clicks = (item: string, count: number): ShopEvent[] =>
  Array.from({ length: count }, () => ({
    event_type: 'click',
    event_time: new Date().toISOString(),
    user_id: 'ann',
    item_id: item,
    category_code: 'kids.toys',
  }));

describe.skipIf(noBrowser)(`the live page, in Chromium${skipped(noBrowser)}`, () => {
  const browser = browsing();
  let node: StandInNode;
  nodeForEach((made) => (node = made));

  it('shows an item that is clicked on at the top of the trending list, as new', async () => {
    const { page, complaints } = await browser.open(node);
    const rows = page.locator('.trending-list tbody tr');
    await expect.poll(() => rows.count()).toBe(20);
    await node.publish(clicks('rocket', 5_000));
    await expect.poll(() => rows.first().innerText()).toMatch(/^1[\s\S]*new[\s\S]*Title of rocket[\s\S]*10K$/);
    expect(await rows.count()).toBe(20);
    expect(complaints).toEqual([]);
  });

  it('shows that an item has climbed, and draws its score', async () => {
    const { page } = await browser.open(node);
    const row = page.locator('[data-item="item-0111"]');
    await row.getByRole('img', { name: 'same place' }).waitFor();
    await node.publish(clicks('item-0111', 400));
    await row.getByRole('img', { name: 'up 3' }).waitFor();
    const heights = await row.locator('.sparkline path').evaluate((path) => path.getBoundingClientRect().height);
    expect(heights).toBeGreaterThan(10);
  });

  it('shows the last hour, and says since when, in the zone of who looks', async () => {
    const { page } = await browser.open(node, { timezoneId: 'Asia/Kolkata' });
    const trending = page.locator('.trending');
    // Half an hour from UTC: what begins with a full hour there does not begin with one here.
    const [sliding, full] = [/since \d\d:[0-5][05] GMT\+5:30/, /since \d\d:30 GMT\+5:30/];
    await expect.poll(() => trending.getByRole('table').getByRole('caption').textContent()).toMatch(sliding);
    expect(node.asked).toContain('/trending/stream?window=last-hour&n=20');
    await trending.getByText(/^Since \d\d:30 GMT\+5:30$/).click();
    await expect.poll(() => trending.getByRole('table').getByRole('caption').textContent()).toMatch(full);
    await trending.locator('.hint', { hasText: full }).waitFor();
    expect(node.asked).toContain('/trending/stream?window=1h&n=20');
    expect(await trending.textContent()).not.toMatch(/1 hour/);
  });

  it('follows another window and a category', async () => {
    const { page } = await browser.open(node);
    await page.locator('[data-item="item-0000"]').waitFor();
    await page.getByText('24 hours').click();
    await page.locator('.trending').getByLabel('Category').selectOption('kids');
    await expect.poll(() => page.locator('.trending-list tbody tr').count()).toBe(2);
    expect(node.asked).toContain('/trending/stream?window=24h&n=20&category=kids');
  });

  it('resumes the list after the connection was lost', async () => {
    const { page } = await browser.open(node);
    await page.locator('[data-item="item-0000"]').waitFor();
    await node.goAway();
    await page.locator('.trending').getByText('Not reachable.').waitFor();
    await node.comeBack();
    await node.publish(clicks('rocket', 9_000));
    await expect.poll(() => page.locator('.trending-list tbody tr').first().innerText()).toContain('rocket');
    expect(await page.locator('.trending .notice').count()).toBe(0);
  });

  it('says in every panel since when it is out of date when the node has ended, and that nothing is live', async () => {
    const { page } = await browser.open(node);
    await allThere(page);
    await page.locator('.trending').getByText('Live').waitFor();
    await node.goAway();
    const since = (panel: string) => page.locator(`${panel} .stale-since`);
    // Old enough for the list to have been drawn again, as it is when movements grow old.
    await expect.poll(() => since('.trending').textContent()).toMatch(/^as of [\d:]{8}, ([6-9]|\d\d) s ago$/);
    for (const panel of ['.page-head', '.trending', '.topology', '.ledgers', '.recommendations']) {
      expect([panel, await since(panel).textContent()]).toEqual([panel, expect.stringMatching(/^as of .* ago$/)]);
    }
    expect(await since('.figures').allTextContents()).toEqual(Array(3).fill(expect.stringMatching(/^as of .* ago$/)));
    expect(await page.getByText(/\b(live|running here|now|up \d+ \w+)\b/i).allTextContents()).toEqual(['Trending now']);
    expect(await page.locator('.flow:visible, .dot').count()).toBe(0);
    const grey = await page
      .locator('.panel-head .hint')
      .first()
      .evaluate((hint) => getComputedStyle(hint).color);
    for (const coloured of ['.trending .sparkline', '.node.running .state', '.chart .stroke', '.letters .reason']) {
      const colours = await page
        .locator(coloured)
        .first()
        .evaluate((one) => {
          const { color, stroke } = getComputedStyle(one.querySelector('path') ?? one);
          return [color, stroke];
        });
      expect([coloured, colours]).toEqual([coloured, expect.arrayContaining([grey])]);
    }
    await node.comeBack();
    await expect.poll(() => page.locator('.stale-since').count()).toBe(0);
    await page.locator('.trending').getByText('Live').waitFor();
    await page.getByRole('tab', { name: /Late events/ }).click();
    await page.getByRole('table', { name: 'Late events' }).waitFor();
    await node.goAway();
    await since('.ledgers').waitFor();
  });

  it('starts anew when a change of the list is missing', async () => {
    const { page } = await browser.open(node);
    await page.locator('[data-item="item-0000"]').waitFor();
    node.shop.revision += 5;
    await node.publish(clicks('rocket', 5_000));
    await expect.poll(() => page.locator('.trending-list tbody tr').first().innerText()).toContain('rocket');
  });

  it('shows every stage, and its partitions at a click', async () => {
    const { page, complaints } = await browser.open(node);
    await page.locator('[data-stage="window"]').waitFor();
    expect(await page.locator('[data-stage]').count()).toBe(12);
    const stage = page.getByRole('button', { name: /^trending: Backoff, 3 of 4 partitions running/ });
    expect(await stage.getAttribute('aria-expanded')).toBe('false');
    await stage.click();
    const table = page.getByRole('table', { name: 'Partitions of trending' });
    await table.getByText('NATS did not answer within 5000 ms').waitFor();
    expect(await table.getByRole('row').count()).toBe(5);
    await page.getByText('reads from watermark; writes to trending-lists').waitFor();
    await page.getByRole('button', { name: 'Close trending' }).click();
    expect(await table.count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  it('shows the supervision tree, opened where something fails', async () => {
    const { page } = await browser.open(node);
    const panel = page.getByRole('region', { name: 'Supervision' });
    await panel.getByText('3 restarts since the node started').waitFor();
    expect(await panel.locator('details[open] > summary strong').allInnerTexts()).toEqual([
      'worker-0',
      'user-1',
      'user-2',
    ]);
    await panel.getByText('NATS did not answer within 5000 ms').waitFor();
    await panel.locator('summary', { hasText: 'user-3' }).click();
    expect(await panel.getByText('window.3').isVisible()).toBe(true);
  });

  it('shows no figure that is not of what it stands at', async () => {
    const { page } = await browser.open(node);
    await page.locator('[data-stage="window"]').waitFor();
    const ledger = (name: string) => page.locator('.node.ledger', { has: page.getByText(name, { exact: true }) });
    await expect.poll(() => ledger('events').textContent()).toMatch(/^events[\d–].*events\/s$/);
    for (const name of ['items', 'late', 'dead-letter']) expect(await ledger(name).textContent()).toBe(name);
    // What a node counts is of its own partitions: it is not the length of the lists.
    expect(await page.getByRole('tab').allInnerTexts()).toEqual(['Dead letters', 'Late events']);
    await page.locator('.figure', { hasText: 'Events in' }).getByText('duplicates on this node').waitFor();
  });

  it('counts events per second from what the server has counted', async () => {
    const { page } = await browser.open(node);
    const figure = page.locator('.figure', { hasText: 'Events in' });
    await figure.getByText('1,204,331', { exact: false }).or(figure.getByText('on time')).first().waitFor();
    await node.publish(clicks('rocket', 4_000));
    await expect
      .poll(async () => Number.parseFloat((await figure.locator('.value').innerText()).replace(',', '')))
      .toBeGreaterThan(500);
    expect(await figure.getByRole('img').getAttribute('aria-label')).toMatch(/^Events in: events per second now/);
  });

  it('asks nothing while nobody looks', async () => {
    const { page } = await browser.open(node);
    await page.locator('[data-stage="window"]').waitFor();
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    const asked = (): number => node.asked.filter((path) => path === '/status').length;
    await page.clock.install();
    const before = asked();
    await page.clock.fastForward(60_000);
    expect(asked()).toBeLessThanOrEqual(before + 1);
    await page.evaluate(() => {
      Object.defineProperty(document, 'hidden', { configurable: true, get: () => false });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    await expect.poll(asked).toBeGreaterThan(before);
  });

  it('retries a dead letter as it is', async () => {
    const { page, complaints } = await browser.open(node);
    const letter = page.locator('.letter').first();
    await letter.getByRole('button', { name: /^Retry/ }).click();
    await letter.getByText('Published again on rivulet.events.view').waitFor();
    await letter.locator('.state-word', { hasText: 'Retried' }).waitFor();
    expect(node.shop.letters[0]!['retried_at']).toBeDefined();
    expect(complaints).toEqual([]);
  });

  it('mends a dead letter, and retries it', async () => {
    const { page } = await browser.open(node);
    const letter = page.locator('.letter', { hasText: 'price is -1' }).first();
    await letter.getByRole('button', { expanded: false }).click();
    expect(await letter.getByLabel('The original event').innerText()).toContain('"price": -1');
    expect(await letter.getByLabel('Field 1').inputValue()).toBe('price');
    await letter.getByLabel('Value 1').fill('12.5');
    await letter.getByRole('button', { name: 'Another field' }).click();
    await letter.getByLabel('Field 2').fill('brand');
    await letter.getByLabel('Value 2').fill('"501"');
    await letter.getByRole('button', { name: 'Another field' }).click();
    await letter.getByLabel('Field 3').fill('user_id');
    await letter.getByLabel('Value 3').fill('007');
    await letter.getByRole('button', { name: 'Set and retry' }).click();
    await letter.getByText('Published again').waitFor();
    expect(node.asked).toContain('{"set":{"price":12.5,"brand":"501","user_id":"007"}}');
  });

  it('says why a dead letter could not be retried', async () => {
    const { page } = await browser.open(node);
    const letter = page.locator('.letter').first();
    await letter.waitFor();
    const errors = [{ field: 'set.price', detail: 'price is -2: send 0 or more' }];
    node.faults.set('/dead-letters/', { status: 400, reason: 'INVALID_FIELD', detail: 'a field is wrong', errors });
    await letter.getByRole('button', { name: /^Retry/ }).click();
    await letter.getByText('price is -2: send 0 or more').waitFor();
  });

  it('turns the pages of dead letters, and shows those that came in the meantime', async () => {
    const { page } = await browser.open(node);
    await expect.poll(() => page.locator('.letter').count()).toBe(10);
    await page.getByRole('button', { name: 'Older' }).click();
    await page.getByRole('button', { name: 'Older' }).click();
    await expect.poll(() => page.locator('.letter').count()).toBe(3);
    await page.getByText('Retried', { exact: true }).click();
    await page.getByText('None of the dead letters is like that.').waitFor();
    await page.getByText('All', { exact: true }).click();
    await expect.poll(() => page.locator('.letter').count()).toBe(10);
    await node.publish(['{"broken"']);
    await expect.poll(() => page.locator('.letter').first().innerText()).toContain('#1204354');
  });

  it('lists late events', async () => {
    const { page } = await browser.open(node);
    await page.getByRole('tab', { name: /Late events/ }).click();
    const table = page.getByRole('table', { name: 'Late events' });
    await table.getByText('user-1000').waitFor();
    // No column for what the server does not say.
    const first = table.locator('tbody tr').first().getByRole('cell');
    expect(await first.count()).toBe(await table.getByRole('columnheader').count());
    expect(await first.allInnerTexts()).not.toContain('–');
  });
});
