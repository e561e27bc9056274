/** Nodes with the page as it is bundled, for the tests of a suite. */
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { bundledPage } from './browser.js';
import { type StandInNode, standInNode } from './stand-in-node.js';

/** A new one for each test. */
export function nodeForEach(use: (node: StandInNode) => void): void {
  let folder: string;
  beforeAll(() => {
    folder = bundledPage();
  });
  beforeEach(async () => {
    const node = await standInNode(folder);
    use(node);
    return () => node.close();
  });
}

/** One for all of them. */
export function nodeForAll(use: (node: StandInNode) => void): void {
  let node: StandInNode;
  beforeAll(async () => {
    node = await standInNode(bundledPage());
    use(node);
  });
  afterAll(() => node.close());
}
