/** The page of the API document, in Chromium: it works under its own strict policy, from this node alone. */
import { describe, expect, it } from 'vitest';
import { httpFacade } from '../connectors/http/http-facade.js';
import { browsing, noBrowser } from './browser.js';
import { skipped } from '../support/requirements.js';

describe.skipIf(noBrowser)(`GET /docs${skipped(noBrowser)}`, () => {
  const { open } = browsing();

  it('shows each operation, and asks one of them', async () => {
    const { origin, began } = await httpFacade();
    const { page, complaints } = await open({ url: origin }, { path: '/docs' });
    const elsewhere: string[] = [];
    page.on('request', (request) => {
      if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) elsewhere.push(request.url());
    });
    await page.reload();
    await page.getByRole('heading', { name: /Rivulet/ }).waitFor();
    await expect.poll(() => page.locator('.opblock').count()).toBeGreaterThan(12);
    const operation = page.locator('#operations-Trending-getTrending');
    await operation.locator('.opblock-summary-control').click();
    await operation.getByRole('button', { name: 'Try it out' }).click();
    await operation.getByRole('button', { name: 'Execute' }).click();
    await expect
      .poll(() => operation.locator('.live-responses-table .response .response-col_status').first().innerText())
      .toContain('200');
    expect(began).toContain('GET /trending');
    expect(elsewhere).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
