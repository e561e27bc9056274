import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { crc32c, crc32Of } from '../../state/crc.js';

it('CRC-32C has its check value', () => {
  expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283);
});

it('CRC-32 is that of zlib, of any text and any bytes behind it', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.uint8Array({ maxLength: 3_000, size: 'max' }),
      (text, bytes) => {
        const from = bytes.length >> 3;
        expect(crc32Of(text, bytes, from, bytes.length)).toBe(
          crc32(Buffer.concat([Buffer.from(text), bytes.subarray(from)])),
        );
      },
    ),
  );
});
