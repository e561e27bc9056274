import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TimeParser } from '../../../actors/maths/time.js';
import { utf8 } from '../../../runtime/contract/stage.js';

const parse = (text: string, parser = new TimeParser()): number => {
  const bytes = utf8(`,${text},`);
  return parser.parse(bytes, 1, bytes.length - 1);
};

const MIDNIGHT = 1_569_888_000_000;

describe('times, by hand', () => {
  it.each([
    ['2019-10-01 00:00:00 UTC', MIDNIGHT],
    ['2019-10-01T00:00:00Z', MIDNIGHT],
    ['2019-10-01t00:00:00z', MIDNIGHT],
    ['2019-10-01T00:00:00', MIDNIGHT],
    ['2019-10-01 00:00:00', MIDNIGHT],
    ['2019-10-01', MIDNIGHT],
    ['2019-10-01T00:00', MIDNIGHT],
    ['2019-10-01T00:00Z', MIDNIGHT],
    ['2019-10-01T12:34:56Z', MIDNIGHT + 45_296_000],
    ['2019-10-01T00:00:00.5Z', MIDNIGHT + 500],
    ['2019-10-01T00:00:00,05', MIDNIGHT + 50],
    ['2019-10-01T00:00:00.123999999Z', MIDNIGHT + 123],
    ['2019-10-01T02:00:00+02:00', MIDNIGHT],
    ['2019-10-01T02:30:00+0230', MIDNIGHT],
    ['2019-09-30T19:00:00-05', MIDNIGHT],
    ['2019-10-01T00:00:00.250-00:00', MIDNIGHT + 250],
    ['2020-02-29T00:00:00Z', Date.UTC(2020, 1, 29)],
    ['1970-01-01T00:00:00Z', 0],
    ['1969-12-31T23:59:59Z', -1000],
    ['1569888000', MIDNIGHT],
    ['1569888000.25', MIDNIGHT + 250],
    ['1569888000123', MIDNIGHT + 123],
    ['1.569888e9', MIDNIGHT],
    ['99999999999', 99_999_999_999_000],
    ['100000000000', 100_000_000_000],
    ['-1', -1000],
    // A number, not a year.
    ['2019', 2_019_000],
  ])('%s', (text, ms) => {
    expect(parse(text)).toBe(ms);
  });

  it.each(
    [
      ...['', ' ', 'yesterday', '-', '2019-13-01', '2019-00-10', '2019-02-29', '2019-02-30T00:00:00Z', '2019-04-31'],
      ...[
        '2019-10-00',
        '2019-10-1',
        '2019-10-01X00:00:00Z',
        '2019-10-01T24:00:00Z',
        '2019-10-01T00:60:00Z',
        '2019-10-01T00:00:60Z',
      ],
      ...[
        '2019-10-01T',
        '2019-10-01T00',
        '2019-10-01T00:',
        '2019-10-01T00:0',
        '2019-10-01T00:00:',
        '2019-10-01T00:00:0',
      ],
      ...[
        '2019-10-01T00:00:00.',
        '2019-10-01T00:00:00.Z',
        '2019-10-01T00:00:00 CET',
        '2019-10-01T00:00:00 ',
        '2019-10-01T00:00:00+',
      ],
      ...[
        '2019-10-01T00:00:00+2',
        '2019-10-01T00:00:00+24:00',
        '2019-10-01T00:00:00+02:60',
        '2019-10-01T00:00:00+02:0',
        '2019-10-01Z',
      ],
      ...[
        '2019/10/01 00:00:00',
        '2019-10/01',
        '01-10-2019',
        '20a9-10-01',
        '2019-1o-01',
        '0000-00-00',
        '0x10',
        'NaN',
        'Infinity',
        '1e400',
      ],
      ...['2019-10-01T00:00:00 UTCX', '2019-10-01T00:00:00 UT', '2019-10-01T0a:00:00Z', '2019-10-01T00:00Z00'],
    ].map((text) => [text]),
  )('not %s', (text) => {
    expect(parse(text)).toBeNaN();
  });
});

const pad = (n: number, digits: number): string => String(n).padStart(digits, '0');

describe('a time of any shape', () => {
  const zone = fc.constantFrom('', 'Z', ' UTC', '+00:00', '+05:30', '-08:00', '+1345');
  const fraction = fc.constantFrom('', '.1', '.12', '.123', '.1239');

  it('is what Date says of the same parts', () => {
    const parser = new TimeParser();
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 253_402_300_799 }),
        fraction,
        zone,
        fc.constantFrom('T', ' '),
        (s, f, z, t) => {
          const iso = new Date(s * 1000).toISOString();
          const text = iso.slice(0, 10) + t + iso.slice(11, 19) + f + z;
          const [, sign = '+', hours = '0', minutes = '0'] = /([+-])(\d\d):?(\d\d)$/.exec(z) ?? [];
          const offset = (sign === '+' ? 1 : -1) * (Number(hours) * 60 + Number(minutes)) * 60_000;
          expect(parse(text, parser)).toBe(s * 1000 + Number(`${f.slice(1)}000`.slice(0, 3)) - offset);
        },
      ),
    );
  });

  it('is refused when the calendar has no such day, accepted when it has', () => {
    const parser = new TimeParser();
    fc.assert(
      fc.property(fc.integer({ min: 1970, max: 2100 }), fc.nat({ max: 14 }), fc.nat({ max: 33 }), (y, m, d) => {
        const text = `${y}-${pad(m, 2)}-${pad(d, 2)}T06:07:08Z`;
        // `Date.parse` rolls 31 April over to 1 May; the day must be found again in what it made.
        const expected = Date.parse(text);
        const exists = !Number.isNaN(expected) && new Date(expected).toISOString().startsWith(text.slice(0, 10));
        expect(parse(text, parser)).toBe(exists ? expected : NaN);
      }),
      { numRuns: 2000 },
    );
  });
});
