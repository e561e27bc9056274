import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseExact } from '../../../runtime/contract/exact-json.js';

describe('JSON read exactly', () => {
  it('is as JSON.parse reads it, but for what a double cannot hold', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.nat(2 ** 20), (value, space) => {
        const text = JSON.stringify(['"\\\\1234567890123456789', value, 1234567890123456], undefined, space % 3);
        const asText = (_: string, one: unknown) =>
          typeof one === 'number' && Number.isInteger(one) && !Number.isSafeInteger(one) && Math.abs(one) < 1e21
            ? String(one)
            : one;
        expect(parseExact(text)).toEqual(JSON.parse(text, asText));
      }),
    );
    expect(() => parseExact('{"a":12345678901234567890')).toThrow(SyntaxError);
  });

  it.each([
    [
      '{"id":12345678901234567890,"n":[-9007199254740993,1]}',
      { id: '12345678901234567890', n: ['-9007199254740993', 1] },
    ],
    [
      '{"id":9007199254740991,"p":1234567890.1234567890,"e":1e400}',
      { id: 2 ** 53 - 1, p: 1234567890.123456789, e: Infinity },
    ],
    [
      '["say \\"12345678901234567890\\" 12345678901234567891",12345678901234567890]',
      ['say "12345678901234567890" 12345678901234567891', '12345678901234567890'],
    ],
  ])('%s', (text, value) => {
    expect(parseExact(text)).toEqual(value);
  });
});
