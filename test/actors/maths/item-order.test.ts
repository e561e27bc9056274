import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareItems, compareText, orderKey } from '../../../actors/maths/item-order.js';

const HUGE = 2n ** 80n;
const integer = fc.bigInt({ min: -HUGE, max: HUGE }).map(String);
const nearby = fc.bigInt({ min: 2n ** 53n - 4n, max: 2n ** 53n + 4n }).map(String);
const id = fc.oneof(
  fc.nat({ max: 30 }).map(String),
  integer,
  nearby,
  fc.constantFrom(
    '007',
    '7',
    '-0',
    '0',
    '1e3',
    '1.5',
    'a',
    'ab',
    'item-1',
    'item-2',
    '\u{1F600}',
    '\uFFFD',
    'é',
    '9'.repeat(40),
  ),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 9 }),
);

describe('the order of items', () => {
  it.each([
    ['integers by value', ['9', '10', '1004833', '20000000000000000001', '20000000000000000002']],
    ['negative ones too', ['-10', '-9', '0', '3']],
    ['texts by code point', ['B', 'a', 'item-10', 'item-2', 'é', '\uFFFD', '\u{1F600}']],
    ['an integer before any other text', ['2', '10', '10a', '2a']],
    ['equal integers by text', ['007', '7']],
  ])('has %s', (_, ordered) => {
    expect([...ordered].reverse().sort(compareItems)).toEqual(ordered);
    expect([...ordered].reverse().sort((a, b) => orderKey(a) - orderKey(b) || compareItems(a, b))).toEqual(ordered);
  });

  it('is total', () => {
    fc.assert(
      fc.property(id, id, id, (a, b, c) => {
        expect(Math.sign(compareItems(a, b))).toBe(-Math.sign(compareItems(b, a)) + 0);
        expect(compareItems(a, b) === 0).toBe(a === b);
        if (compareItems(a, b) < 0 && compareItems(b, c) < 0) expect(compareItems(a, c)).toBeLessThan(0);
      }),
      { seed: 1, numRuns: 2_000 },
    );
  });

  it('never contradicts the keys', () => {
    fc.assert(
      fc.property(id, id, (a, b) => {
        if (orderKey(a) < orderKey(b)) expect(compareItems(a, b)).toBeLessThan(0);
      }),
      { seed: 2, numRuns: 2_000 },
    );
  });

  it('compares no text of integers up to 2^53', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
        expect(Math.sign(orderKey(String(a)) - orderKey(String(b)))).toBe(Math.sign(a - b));
      }),
      { seed: 3 },
    );
  });
});

it('texts compare as their UTF-8 bytes do', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (a, b) => {
      expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
    { seed: 4, numRuns: 2_000 },
  );
});
