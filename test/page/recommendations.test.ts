/** The form: for a user, for anyone, from an address; and what it says when the server says no. */
import { beforeEach, describe, expect, it } from 'vitest';
import { browsing, noBrowser } from './browser.js';
import type { StandInNode } from './stand-in-node.js';
import { nodeForAll } from './stand-in-nodes.js';
import { skipped } from '../support/requirements.js';

describe.skipIf(noBrowser)(`recommendations, in Chromium${skipped(noBrowser)}`, () => {
  const browser = browsing();
  let node: StandInNode;
  nodeForAll((made) => (node = made));
  beforeEach(() => {
    node.faults.clear();
    node.token = undefined;
  });

  it('shows a random user when it is opened', async () => {
    const { page, complaints } = await browser.open(node);
    await page.getByRole('table', { name: 'Recommendations for user-0815' }).waitFor();
    expect(await page.getByLabel('User id').inputValue()).toBe('user-0815');
    expect(await page.locator('.recommendations tbody tr').count()).toBe(10);
    expect(complaints).toEqual([]);
  });

  it('shows the list of a user, with scores and reasons', async () => {
    const { page } = await browser.open(node);
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    await page.getByLabel('User id').fill('ann/7');
    await page.getByLabel('How many').fill('3');
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.getByRole('table', { name: 'Recommendations for ann/7' }).waitFor();
    const rows = await page.locator('.recommendations tbody tr').allInnerTexts();
    expect(rows).toHaveLength(3);
    expect(rows[0]).toMatch(
      /1[\s\S]*Galaxy A55[\s\S]*item-0000[\s\S]*electronics[\s\S]*21\.6[\s\S]*interest in electronics/,
    );
    const bars = await page
      .locator('.recommendations .bar > span')
      .evaluateAll((all) => all.map((one) => one.clientWidth));
    expect(bars).toEqual([...bars].sort((a, b) => b - a));
    expect(bars[0]).toBeGreaterThan(bars[2]!);
  });

  it('asks for an order, shows what the place of an item comes from, and has it in the address', async () => {
    const { page } = await browser.open(node);
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    await page.getByLabel('User id').fill('ann');
    await page.getByLabel('Order by').selectOption('Hybrid');
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.locator('.why-cell').getByText('co-visitation 45 %').first().waitFor();
    expect(node.asked).toContain('/reco?user_id=ann&n=10&strategy=hybrid');
    expect(new URL(page.url()).hash).toContain('strategy=hybrid');
  });

  it('compares the lists of a user by every strategy, and marks what is in several', async () => {
    const { page, complaints } = await browser.open(node);
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    await page.getByRole('button', { name: 'Compare strategies' }).click();
    for (const name of ['Hybrid', 'By interests', 'Seen together', 'By taste', 'Taste and trend', 'Trending']) {
      expect(await page.getByRole('region', { name, exact: true }).getByRole('listitem').count()).toBe(5);
    }
    expect(await page.locator('.comparison .is-shared').count()).toBe(30);
    expect(complaints).toEqual([]);
  });

  it('shows how good the sources and their ranking are, the best first, and what was learnt', async () => {
    const { page } = await browser.open(node);
    const rates = page.getByRole('table', { name: 'How often what came next was among the first ten' });
    await rates.waitFor();
    expect(await rates.getByRole('rowheader').allInnerTexts()).toEqual(['hybrid', 'co-visitation', 'popular']);
    expect(await rates.getByRole('row', { name: 'hybrid' }).innerText()).toContain('41 %');
    const weights = page.getByRole('table', { name: 'The largest weights' });
    expect(await weights.getByRole('rowheader').allInnerTexts()).toEqual(['category', 'age', 'new']);
  });

  it('shows the arms of an experiment, and the one that a user is in', async () => {
    const { page } = await browser.open(node);
    const arms = page.getByRole('table', { name: 'Experiment lists' });
    await arms.waitFor();
    expect((await arms.getByRole('row', { name: 'new' }).innerText()).split(/\s*\t\s*/)).toEqual(
      ['new', 'Hybrid, 50 %', '910', '9,100', '455', '5 %', '34 %', '0.004'], // prettier-ignore
    );
    await page.getByText('in arm lists/new').waitFor();
  });

  it('shows what is similar to an item of any list, by mouse and by keyboard', async () => {
    const { page, complaints } = await browser.open(node);
    const table = page.getByRole('table', { name: 'user-0815' });
    await table.waitFor();
    const button = table.getByRole('button', { name: /^Similar to / }).first();
    const name = await button.getAttribute('aria-label');
    await button.click();
    const dialog = page.getByRole('dialog', { name: name! });
    await dialog.getByRole('listitem').first().waitFor();
    expect(node.asked.some((path) => /^\/items\/.+\/similar\?n=10$/.test(path))).toBe(true);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'hidden' });
    await page
      .locator('.trending-list')
      .getByRole('button', { name: /^Similar to / })
      .first()
      .focus();
    await page.keyboard.press('Enter');
    await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    expect(complaints).toEqual([]);
  });

  it('asks for a category and without what was seen, and puts it all into the address', async () => {
    const { page } = await browser.open(node);
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    await page.getByLabel('User id').fill('ann');
    await page.locator('.recommendations').getByLabel('Category').fill('kids');
    await page.getByLabel('Without what was seen').check();
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.getByRole('table', { name: 'Recommendations for ann,' }).waitFor();
    expect(node.asked).toContain('/reco?user_id=ann&n=10&category=kids&exclude_seen=true');
    const hash = new URL(page.url()).hash;

    const { page: friend } = await browser.open(node, { hash });
    await friend.getByRole('table', { name: 'Recommendations for ann,' }).waitFor();
    expect(await friend.locator('.recommendations tbody tr').count()).toBe(2);
    expect(await friend.getByLabel('Without what was seen').isChecked()).toBe(true);
  });

  it('takes a random user at the press of a button', async () => {
    const { page } = await browser.open(node, { hash: '#user=ann&n=5' });
    await page.getByRole('table', { name: 'Recommendations for ann,' }).waitFor();
    await page.getByRole('button', { name: 'Random user' }).click();
    await page.getByRole('table', { name: 'Recommendations for user-0815' }).waitFor();
    expect(await page.locator('.recommendations tbody tr').count()).toBe(5);
    expect(new URL(page.url()).hash).toBe('#user=user-0815&n=5');
  });

  it('shows what is wrong with a field at the field', async () => {
    const { page, complaints } = await browser.open(node);
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    await page.getByLabel('How many').fill('500');
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.getByText('n is 500: send a whole number from 1 to 100').waitFor();
    const field = page.getByLabel('How many');
    expect(await field.getAttribute('aria-invalid')).toBe('true');
    expect(await page.locator(`#${await field.getAttribute('aria-describedby')}`).innerText()).toMatch(/from 1 to 100/);
    await page.getByLabel('How many').fill('5');
    await page.getByLabel('How many').press('Enter');
    await expect.poll(() => page.locator('.recommendations tbody tr').count()).toBe(5);
    expect(await field.getAttribute('aria-invalid')).toBe('false');
    expect(complaints).toEqual([]);
  });

  it('asks for the user before the server does', async () => {
    const { page } = await browser.open(node);
    await page.getByLabel('User id').fill(' ');
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.getByText('Give a user id, or take a random user.').waitFor();
  });

  it('says that there were too many requests, and goes on when it may', async () => {
    const { page } = await browser.open(node);
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    const detail = 'more than 5 requests a second';
    node.faults.set('/reco', { status: 429, reason: 'RATE_EXCEEDED', detail, retry_after_seconds: 3 });
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.getByText('Too many requests. More than 5 requests a second.').waitFor();
    node.faults.clear();
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
  });

  it('says that the server is unreachable, and finds it again by itself', async () => {
    const { page, complaints } = await browser.open(node);
    await page.getByText('Serving', { exact: true }).waitFor();
    await node.goAway();
    await page.getByText('Not reachable', { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.locator('.recommendations').getByText('The server does not answer.').waitFor();
    await node.comeBack();
    await page.getByText('Serving', { exact: true }).waitFor();
    await page.locator('.trending').getByText('Live').waitFor();
    expect(complaints).toEqual([]);
  });

  it('asks for a token when the server does, and remembers it for the tab', async () => {
    node.token = 'letmein';
    const { page } = await browser.open(node);
    await page.getByRole('heading', { name: 'This server asks for a token' }).waitFor();
    await page.locator('#token-why', { hasText: 'A token is needed.' }).waitFor();
    await page.getByLabel('Bearer token').fill('wrong');
    await page.getByRole('button', { name: 'Use token' }).click();
    await page.locator('#token-why', { hasText: 'The token is not one of ours.' }).waitFor();
    await page.getByLabel('Bearer token').fill('letmein');
    await page.keyboard.press('Enter');
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    await page.locator('.trending').getByText('Live').waitFor();
    await page.getByText('Serving', { exact: true }).waitFor();
    expect(await page.getByLabel('Bearer token').count()).toBe(0);
    await page.reload();
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    expect(await page.evaluate(() => JSON.stringify(localStorage))).not.toContain('letmein');
  });

  it('keeps what was typed while a token is asked for, and asks again what was refused', async () => {
    node.token = 'first';
    const { page } = await browser.open(node, { hash: '#user=ann&n=5' });
    const giveToken = async (token: string): Promise<void> => {
      await page.getByLabel('Bearer token').fill(token);
      await page.keyboard.press('Enter');
      await page.getByLabel('Bearer token').waitFor({ state: 'detached' });
    };
    await giveToken('first');
    await page.getByRole('table', { name: 'Recommendations for ann,' }).waitFor();
    // It expires while someone types.
    await page.getByLabel('User id').fill('bob');
    await page.getByLabel('How many').fill('3');
    node.token = 'second';
    await page.getByLabel('Bearer token').waitFor();
    await giveToken('second');
    await page.getByText('Serving', { exact: true }).waitFor();
    expect(await page.getByLabel('User id').inputValue()).toBe('bob');
    expect(await page.getByLabel('How many').inputValue()).toBe('3');
    // It expires, and who has typed asks.
    node.faults.set('/reco', { status: 401, reason: 'TOKEN_EXPIRED', detail: 'the token has expired' });
    await page.getByRole('button', { name: 'Recommend', exact: true }).click();
    await page.locator('#token-why', { hasText: 'The token has expired.' }).waitFor();
    node.faults.clear();
    await giveToken('second');
    await page.getByRole('table', { name: 'Recommendations for bob,' }).waitFor();
    expect(new URL(page.url()).hash).toBe('#user=bob&n=3');
  });

  it('says what a token looks like where it cannot be one', async () => {
    node.token = 'letmein';
    const { page, complaints } = await browser.open(node);
    for (const pasted of ['“letmein”', '"letmein"']) {
      await page.getByLabel('Bearer token').fill(pasted);
      await page.getByRole('button', { name: 'Use token' }).click();
      await page
        .locator('#token-why', { hasText: 'A token has only letters, digits and - _ . and no quotes.' })
        .waitFor();
      await page.getByLabel('Bearer token').fill('wrong');
      await page.keyboard.press('Enter');
      await page.locator('#token-why', { hasText: 'The token is not one of ours.' }).waitFor();
    }
    await page.getByLabel('Bearer token').fill('Bearer letmein');
    await page.keyboard.press('Enter');
    await page.getByRole('table', { name: 'user-0815' }).waitFor();
    expect(complaints).toEqual([]);
  });
});
