import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonScanner } from '../../../actors/formats/json-scanner.js';
import { utf8 } from '../../../runtime/contract/stage.js';

/** Whether text is one JSON value, by the scanner. */
function scans(text: string): boolean {
  const scanner = new JsonScanner(utf8(text));
  scanner.skipSpace();
  if (!scanner.skipValue()) return false;
  scanner.skipSpace();
  return scanner.at === scanner.end;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

describe('what the scanner takes for JSON', () => {
  it.each([
    ...[
      '{}',
      '[]',
      ' {"a" : [1, -0.5e+3, true, null, "x\\u00e9\\n"] } ',
      '0',
      '-0',
      '1E5',
      '""',
      '"\u{1f600}"',
      '"\u007f"',
      '\t\n\r 1',
    ],
    ...[
      '',
      '{',
      '}',
      '[',
      '[1',
      '[1,]',
      '{"a"}',
      '{"a":}',
      '{"a":1,}',
      '{a:1}',
      "{'a':1}",
      '01',
      '1.',
      '.5',
      '+1',
      '1e',
      '-',
      '--1',
    ],
    ...[
      '"',
      '"\\x"',
      '"\\u12g4"',
      '"\\u123"',
      '"a\nb"',
      '"\u0000"',
      'tru',
      'truee',
      'nul',
      'NaN',
      'Infinity',
      '1 2',
      '[1 2]',
      '\ufeff1',
    ],
    ...['{"a":1 "b":2}', '[}', '{]', '{"a":1]', '\u00a01', '/* */1'],
  ])('%j: as JSON.parse does', (text) => {
    expect(scans(text)).toBe(parses(text));
  });

  it('is what JSON.parse takes, of sound and of damaged texts', () => {
    const damaged = fc
      .tuple(
        fc.json({ maxDepth: 3 }),
        fc.nat(),
        fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '0', 'e', ' ', '\n', 'u'),
        fc.nat({ max: 2 }),
      )
      .map(([text, at, put, cut]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + put + text.slice(place + cut);
      });
    fc.assert(
      fc.property(fc.oneof(fc.json(), damaged), (text) => {
        expect(scans(text)).toBe(parses(text));
      }),
      { numRuns: 5000 },
    );
  });

  it('is nested 64 deep at most, however deep the text is', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
    expect(scans(nested(64))).toBe(true);
    expect(scans(nested(65))).toBe(false);
    expect(scans(nested(200_000))).toBe(false);
  });

  it('never goes past the end it is given', () => {
    const bytes = utf8('{"a":"bc"}');
    for (let end = 0; end < bytes.length; end++) {
      const scanner = new JsonScanner(bytes, end);
      expect(scanner.skipValue()).toBe(false);
      expect(scanner.at).toBeLessThanOrEqual(end);
    }
  });
});
