/** Whatever is lost, purged or put back: it ends in equal rows, with or without a repair, or is refused by node and repair alike. */
import { expect, it } from 'vitest';
import { PER_RUN } from './faults.js';
import { runSeed } from './run-seed.js';
import { toyLive } from './toy-jobs.js';

/** What a disk has lost the mailboxes still have, or the copy; and of an earlier moment there are state and log alike. */
const NEVER_REFUSED = ['diskLost', 'diskEarlier', 'earlier'];

it.each(Object.keys(PER_RUN) as (keyof typeof PER_RUN)[])('%s', async (lie) => {
  const endings = new Set<string>();
  const endingsOf = NEVER_REFUSED.includes(lie) ? ['equal'] : ['equal', 'refused'];
  // Some lies end in a refusal once in fifteen seeds.
  for (let seed = 1; seed <= 25 || (endings.size < endingsOf.length && seed <= 200); seed++) {
    const ending = await runSeed(toyLive, seed, { lie });
    endings.add(ending.kind);
  }
  for (const ending of endingsOf) expect(endings).toContain(ending);
});

it('repairs do happen', async () => {
  let repaired = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const ending = await runSeed(toyLive, seed, { lie: 'earlier' });
    if (ending.kind === 'equal' && ending.world.counts.has('repair')) repaired++;
  }
  expect(repaired).toBeGreaterThan(0);
});
