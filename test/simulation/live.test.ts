/** The real pipeline live, against a plain model of what does not depend on timing, and against the fold of what was accepted. */
import { describe, it } from 'vitest';
import { expectSeeds } from './expect-seeds.js';
import { live, liveInterval } from './live-job.js';

describe('ends as it must, or is refused where the log lies', { timeout: 180_000 }, () => {
  it('with an epoch for each frame', () => expectSeeds(live, 100));
  it('with epochs of an interval, of two sources', () => expectSeeds(liveInterval, 50));
});
