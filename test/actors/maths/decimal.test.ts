import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimalOf } from '../../../actors/maths/decimal.js';
import { utf8 } from '../../../runtime/contract/stage.js';

const decimal = (text: string): number => {
  const bytes = utf8(`9${text}9`);
  return decimalOf(bytes, 1, bytes.length - 1);
};

describe('decimal numbers from bytes', () => {
  it.each([
    ['0', 0],
    ['35.79', 35.79],
    ['007', 7],
    ['5.', 5],
    ['.5', 0.5],
    ['-1.5', -1.5],
    ['+2', 2],
    ['1e3', 1000],
    ['1.25E-2', 0.0125],
    ['123456789012345678', 123456789012345680],
    ['0.1234567890123456789', 0.12345678901234568],
  ])('%s', (text, number) => {
    expect(decimal(text)).toBe(number);
  });

  it.each(
    ['', '.', '-', '1.2.3', '1,5', '1e', 'e3', '0x10', '12a', ' 1', '1 ', 'NaN', 'Infinity', '1e999', '--1', '٣'].map(
      (text) => [text],
    ),
  )('not %j', (text) => {
    expect(decimal(text)).toBeNaN();
  });

  it('are what Number makes of the same text', () => {
    const texts = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `${a}.${b}`),
      fc.stringMatching(/^[0-9]{1,18}\.?[0-9]{0,18}$/),
    );
    fc.assert(
      fc.property(texts, (text) => {
        expect(decimal(text)).toBe(Number(text));
      }),
      { numRuns: 2000 },
    );
  });
});
