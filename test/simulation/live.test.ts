/** The real pipeline live, against a plain model of what does not depend on timing, and against the fold of what was accepted. */
import { it } from 'vitest';
import { expectSeeds } from './expect-seeds.js';
import { live } from './live-job.js';

it('ends as it must, or is refused where the log lies', { timeout: 180_000 }, () => expectSeeds(live, 130));
