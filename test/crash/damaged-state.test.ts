/** Damaged LevelDB files under a replay that was killed half-way: the same rows, or a clear refusal; never other rows in silence. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutTo, type Damage, filesIn, flip, removed } from '../support/file-damage.js';
import { type HalfDone, halfDone } from '../support/half-done.js';

let half: HalfDone;

// Killed twice: what the first life has logged is in a table then, what the second has is in a log.
beforeAll(async () => {
  half = await halfDone(21, [0.2, 0.5]);
});
afterAll(() => half.remove());

const CASES: readonly { readonly damage: string; readonly files: RegExp; readonly apply: Damage }[] = [
  { damage: 'a byte flipped early in the log', files: /\.log$/, apply: flip(0.1) },
  { damage: 'a byte flipped in the middle of the log', files: /\.log$/, apply: flip(0.5) },
  { damage: 'a byte flipped late in the log', files: /\.log$/, apply: flip(0.9) },
  { damage: 'the log cut to a half', files: /\.log$/, apply: cutTo(0.5) },
  { damage: 'the log removed', files: /\.log$/, apply: removed },
  { damage: 'a byte flipped early in the tables', files: /\.ldb$/, apply: flip(0.1) },
  { damage: 'a byte flipped in the middle of the tables', files: /\.ldb$/, apply: flip(0.5) },
  { damage: 'the tables cut to a half', files: /\.ldb$/, apply: cutTo(0.5) },
  { damage: 'the tables removed', files: /\.ldb$/, apply: removed },
  { damage: 'the manifest cut to a half', files: /^MANIFEST/, apply: cutTo(0.5) },
  { damage: 'a byte flipped in the manifest', files: /^MANIFEST/, apply: flip(0.5) },
  { damage: 'CURRENT emptied', files: /^CURRENT$/, apply: cutTo(0) },
  { damage: 'CURRENT removed', files: /^CURRENT$/, apply: removed },
];

const UNITS = ['user-0', 'sink'];
/** Every harm to one shard, and to the others those that only a look at the whole can tell. */
const casesOf = (shard: string): readonly (typeof CASES)[number][] =>
  shard === 'user-0' ? CASES : CASES.filter(({ damage }) => /middle|CURRENT removed/.test(damage));

describe.each(UNITS)('state of %s', (shard) => {
  it.each(casesOf(shard))(
    '$damage',
    async ({ files, apply }) => {
      half.putBack();
      const touched = filesIn(join(half.work, 'state', shard), files).filter((file) => apply(file));
      expect(touched).not.toEqual([]);
      expect(await half.outcome()).toMatch(/^equal rows$|^refused: (STATE_|LOG_GAP)/);
    },
    90_000,
  );
});
