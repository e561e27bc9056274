/**
 * Parts of a data directory that do not belong together: older copies put back, another deployment's. What is started on them ends with the same
 * rows or with a clear refusal.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type HalfDone, halfDone } from '../support/half-done.js';

const [STATE, LOG] = ['data/replay/state', 'data/replay/nats'] as const;
const REFUSED = /^refused: LOG_(BEHIND|GAP)$/;

let half: HalfDone;

// 'early' and 'killed' are of one job; 'other' did the same from the start, on a store of its own.
beforeAll(async () => {
  half = await halfDone(23, [0.4]);
  half.keep('other');
  half.wipe();
  await half.goOn(0.2);
  half.keep('early');
  await half.goOn(0.6);
  half.keep('killed');
});
afterAll(() => half.remove());

describe('an older copy', () => {
  it('of the whole data directory is gone on with: the results are cut back to what it knows', async () => {
    half.putBack();
    half.take('early', 'data');
    expect(await half.outcome()).toBe('equal rows');
  });

  it('of the state alone is refused where the log was trimmed since', async () => {
    half.putBack();
    half.take('early', STATE);
    expect(await half.outcome()).toMatch(REFUSED);
    // As the refusal says: both anew.
    expect(await half.outcome(['--restart'])).toBe('equal rows');
  });

  it.each(['user-0', 'sink'])(
    'of the state of %s alone is refused, or replayed',
    async (unit) => {
      half.putBack();
      const directory = join(half.work, 'state', unit);
      rmSync(directory, { recursive: true });
      cpSync(join(half.kept('early'), STATE, unit), directory, { recursive: true });
      expect(await half.outcome()).toMatch(/^equal rows$|^refused: LOG_GAP$/);
    },
    60_000,
  );

  it('of the log alone is behind the state', async () => {
    half.putBack();
    half.take('early', LOG);
    expect(await half.outcome()).toBe('refused: LOG_BEHIND');
  });

  it.each(['RIVULET_PARSE', 'RIVULET_RECOMMENDATIONS'])(
    'of the log of %s alone is behind the state, or made whole from the sources',
    async (stream) => {
      half.putBack();
      const store = join('jetstream', 'RIVULET', 'streams', stream);
      rmSync(join(half.work, 'nats', store), { recursive: true });
      cpSync(join(half.kept('early'), LOG, store), join(half.work, 'nats', store), { recursive: true });
      // What is read anew from the sources is the same again.
      expect(await half.outcome()).toMatch(
        stream === 'RIVULET_PARSE' ? /^equal rows$|^refused: LOG_(BEHIND|GAP)$/ : REFUSED,
      );
    },
    60_000,
  );
});

describe('of another deployment', () => {
  it.each([STATE, LOG])(
    '%s is refused',
    async (part) => {
      half.putBack();
      half.take('other', part);
      expect(await half.outcome()).toBe('refused: LOG_BEHIND');
    },
    60_000,
  );

  it('the results, shorter than what was written, are refused', async () => {
    half.putBack();
    half.take('early', 'out');
    expect(await half.outcome()).toBe('refused: SINK_FILE_SHORT');
  });
});

describe('without', () => {
  it.each([STATE, LOG])(
    '%s it is refused',
    async (part) => {
      half.putBack();
      half.drop(part);
      expect(await half.outcome()).toMatch(REFUSED);
    },
    60_000,
  );
});
