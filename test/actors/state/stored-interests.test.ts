import { expect, it } from 'vitest';
import { storedInterests } from '../../../actors/state/stored-interests.js';
import { utf8 } from '../../../runtime/contract/stage.js';

const interests = {
  time: 1764000000500,
  categories: [
    { category: 'kids', value: 3.141592653589793, time: 1764000000500 },
    { category: 'auto', value: 1e-9, time: 1763000000007 },
  ],
};

it('interests are read as they were written, and as versions before wrote them', () => {
  expect(storedInterests.decode(storedInterests.encode(interests))).toEqual(interests);
  expect(storedInterests.decode(utf8(JSON.stringify(interests)))).toEqual(interests);
});
