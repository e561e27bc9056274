/** Damaged files of the NATS store under a replay that was killed half-way: the same rows, or a clear refusal; never other rows in silence. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cutTo, type Damage, filesIn, flip, removed } from '../support/file-damage.js';
import { type HalfDone, halfDone } from '../support/half-done.js';

let half: HalfDone;

beforeAll(async () => {
  half = await halfDone(22, [0.2, 0.5]);
});
afterAll(() => half.remove());

const BLOCK = /\.blk$/;
/** A killed server has left no index: it reads all blocks when it starts, and drops what it cannot read. */
const CASES: readonly { readonly damage: string; readonly files: RegExp; readonly apply: Damage }[] = [
  { damage: 'bytes flipped in the middle of the blocks', files: BLOCK, apply: flip(0.5, 8) },
  { damage: 'bytes flipped at the end of the blocks', files: BLOCK, apply: flip(0.98, 8) },
  { damage: 'the blocks cut a little', files: BLOCK, apply: cutTo(0.95) },
  { damage: 'the blocks removed', files: BLOCK, apply: removed },
  { damage: 'the description damaged', files: /^meta\.inf$/, apply: flip(0.5, 8) },
];
/** Of all streams, or of one: that one then lacks what its writers remember to have said. */
const STREAMS = ['.', 'RIVULET_POPULARITY_JOIN', 'RIVULET_RECOMMENDATIONS'];
const casesOf = (stream: string): readonly (typeof CASES)[number][] =>
  stream === '.' ? CASES : CASES.filter(({ damage }) => /end|cut/.test(damage));

describe.each(STREAMS)('the store of %s', (stream) => {
  it.each(casesOf(stream))(
    '$damage',
    async ({ files, apply }) => {
      half.putBack();
      const store = join(half.work, 'nats', 'jetstream', 'RIVULET', 'streams', stream);
      const touched = filesIn(store, files).filter((file) => apply(file));
      expect(touched).not.toEqual([]);
      // Of all streams: that of the record of files is among them.
      const refused = stream === '.' ? /^refused: (LOG_BEHIND|LOG_GAP|FILE_RECORD)$/ : /^refused: LOG_(BEHIND|GAP)$/;
      const outcome = await half.outcome();
      if (outcome !== 'equal rows') expect(outcome).toMatch(refused);
    },
    90_000,
  );
});
