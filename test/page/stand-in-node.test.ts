/** The stand-in for a node answers as the OpenAPI document says: what the page is tested with is what a node sends. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { apiDocument } from '../connectors/http/api-document.js';
import { httpFacade } from '../connectors/http/http-facade.js';
import { type StandInNode, standInNode } from './stand-in-node.js';

async function standIn(): Promise<StandInNode> {
  const folder = mkdtempSync(join(tmpdir(), 'rivulet-page-'));
  const node = await standInNode(folder);
  onTestFinished(async () => {
    await node.close();
    rmSync(folder, { recursive: true });
  });
  return node;
}

/** What the page asks, by the operation that answers it in a node. */
const QUESTIONS: readonly (readonly [operationId: string, path: string, status: number, method?: string])[] = [
  ['getReco', '/reco?user_id=user-0042&n=24', 200],
  ['getReco', '/reco?user_id=nobody&category=electronics', 200],
  ['getReco', '/reco?user_id=user-0042&n=0', 400],
  ['getReco', '/reco?user_id=user-0042&strategy=hybrid', 200],
  ['getRanking', '/ranking', 200],
  ['getItemsByItemIdSimilar', '/items/item-0037/similar?n=10', 200],
  ['getRecoRandom', '/reco/random?n=3', 200],
  ['getStatus', '/status', 200],
  ['getDeadLetters', '/dead-letters?limit=5', 200],
  ['getDeadLetters', '/dead-letters?limit=5&cursor=20&retried=false', 200],
  ['getLateEvents', '/late-events', 200],
  ['postDeadLettersByIdRetry', '/dead-letters/1204331-0/retry', 200, 'POST'],
  ['postDeadLettersByIdRetry', '/dead-letters/1204331-0/retry', 409, 'POST'],
  ['postDeadLettersByIdRetry', '/dead-letters/1-0/retry', 404, 'POST'],
];

it('answers as the document says', async () => {
  const { operations, faultsOf } = await apiDocument(await httpFacade());
  const { url } = await standIn();
  for (const [operationId, path, status, method = 'GET'] of QUESTIONS) {
    const operation = operations.find((one) => one.operationId === operationId);
    expect(operation, operationId).toBeDefined();
    const response = await fetch(url + path, { method });
    expect(response.status, path).toBe(status);
    const [headers, text] = [Object.fromEntries(response.headers), await response.text()];
    expect(faultsOf(operation!, { status, headers, text, json: undefined }), path).toEqual([]);
  }
});

it('streams as the document says', async () => {
  const { faultsIn } = await apiDocument(await httpFacade());
  const node = await standIn();
  const { body } = await fetch(`${node.url}/trending/stream?n=5`);
  const seen: string[] = [];
  let text = '';
  for await (const part of body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event, data] = /event: (\w+)\n.*\ndata: (.*)/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (event === undefined) continue;
      expect(faultsIn(event === 'snapshot' ? 'TrendingSnapshot' : 'TrendingDelta', JSON.parse(data!)), event).toEqual(
        [],
      );
      seen.push(event);
      node.shop.pass();
      node.tell();
    }
    if (seen.includes('delta')) break;
  }
  expect(seen).toContain('snapshot');
});
