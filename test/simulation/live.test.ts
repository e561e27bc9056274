/** The real pipeline live, against a plain model of what does not depend on timing, and against the fold of what was accepted. */
import { describe, expect, it } from 'vitest';
import { expectSeeds } from './expect-seeds.js';
import { live, liveChained, liveHopping, liveInterval, livePast, liveSession } from './live-job.js';

describe('ends as it must, or is refused where the log lies', { timeout: 180_000 }, () => {
  it('with an epoch for each frame', () => expectSeeds(live, 60));
  it('with epochs of an interval, of two sources', () => expectSeeds(liveInterval, 50));
  it('with hopping windows, and a catalogue', () => expectSeeds(liveHopping, 20));
  it('with session windows, and a catalogue', () => expectSeeds(liveSession, 20));
  it('with the past beside the present', () => expectSeeds(livePast, 20));
  it('with stages that run as one', () => expectSeeds(liveChained, 20));
});

it('has sessions that merge', async () => {
  const counts = (await liveSession.reference()) as Readonly<Record<string, number>>;
  expect(Math.max(...Object.values(counts))).toBeGreaterThan(2);
});
