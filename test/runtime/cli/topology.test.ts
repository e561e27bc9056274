/** What `rivulet topology` prints, pinned: a change of the pipeline must be seen here, and in the README. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { mainTopology } from '../../../actors/topology.js';
import { pipelineOptions } from '../../../runtime/cli/node/node-options.js';
import { loadConfig } from '../../../runtime/config/config.js';
import { toMermaid } from '../../../runtime/contract/graph.js';

it('the live pipeline', () => {
  const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
  expect(toMermaid(mainTopology(pipelineOptions(config)))).toMatchInlineSnapshot(`
    "flowchart LR
      events([events]) -->|source| parse
      folder([folder]) -->|source| parse
      popularity-table([popularity-table]) -->|item| popularity
      parse -->|by source| watermark
      watermark -->|by user| window
      watermark -->|popularity by item| popularity
      window -->|by user| interest-ranking
      watermark -->|engagements by item| trending
      trending -->|tops by all| trending-lists
      watermark -->|sampled by all| ranking-learner
      factors([factors]) -->|all| ranking-learner
      watermark -->|past by user| window
      window -->|past by user| interest-ranking
      interest-ranking -->|interests by user| recommendations
      interest-ranking -->|interactions by user| recommendations
      popularity -->|lists by all| recommendations
      window -->|late by user| late[(late)]
      parse -->|deadLetters by source| dead-letter[(dead-letter)]
      parse -->|history by source| history[(history)]
      items([items]) -->|source| parse-items
      parse-items -->|by all| watermark
      parse-items -->|by all| catalogue
      watermark -->|unknown by all| catalogue
      parse-items -->|deadLetters by source| dead-letter[(dead-letter)]"
  `);
});

it('stands in the README as it is printed', () => {
  const { config } = loadConfig({ env: {}, cwd: import.meta.dirname });
  const readme = readFileSync(join(import.meta.dirname, '../../../README.md'), 'utf8');
  expect(readme).toContain(toMermaid(mainTopology(pipelineOptions(config))));
});
