/** What every Objects does (runtime/contract/ports.ts), whatever is behind it. Run on JetStream and on the in-memory double. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { concat } from '../../runtime/frames/bytes.js';
import type { Objects } from '../../runtime/contract/ports.js';

export interface ObjectsBed {
  readonly objects: Objects;
  /** Another client of the same objects. */
  readonly other: Objects;
  /** Changes an object's bytes behind its digest. */
  damage(name: string): Promise<void>;
  stop(): Promise<void>;
}

/** Bytes that differ with the seed, and from piece to piece. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, x = seed; i < length; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    bytes[i] = x >>> 24;
  }
  return bytes;
}

export async function* inPieces(bytes: Uint8Array, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function allOf(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(new Uint8Array(piece));
  return concat(all);
}

export function objectsContract(name: string, makeBed: () => Promise<ObjectsBed>): void {
  describe(`objects contract: ${name}`, () => {
    let bed: ObjectsBed;
    let objects: Objects;
    const get = (name: string): Promise<Uint8Array> => allOf(bed.other.get(name));
    const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
    const MISSING = { reaction: 'transient', code: 'OBJECT_MISSING' };

    beforeAll(async () => {
      bed = await makeBed();
      objects = bed.objects;
    });
    afterAll(() => bed.stop());

    it.each([0, 1, 9_999, 10_000, 512 * 1024, 512 * 1024 + 1, 3_000_000])(
      'gives the %i bytes that were put, with their digest',
      async (length) => {
        const bytes = bytesOf(length, length);
        const said = await objects.put(`size/${length}`, inPieces(bytes));
        expect(said).toMatchObject({ bytes: length });
        expect(said.digest.replace(/=+$/, '')).toBe(
          `SHA-256=${createHash('sha256').update(bytes).digest('base64url')}`,
        );
        expect(same(await get(`size/${length}`), bytes)).toBe(true);
      },
    );

    it('takes pieces of any size, none and very large ones too', async () => {
      const bytes = bytesOf(2_000_000);

      const uneven = async function* (): AsyncGenerator<Uint8Array> {
        yield new Uint8Array(0);
        yield bytes.subarray(0, 3);
        yield bytes.subarray(3, 1_800_000);
        yield new Uint8Array(0);
        yield bytes.subarray(1_800_000);
      };
      await objects.put('uneven', uneven());
      expect(same(await get('uneven'), bytes)).toBe(true);
    });

    it('may use its buffer again as soon as the next piece is asked for', async () => {
      const bytes = bytesOf(1_500_000);
      const buffer = new Uint8Array(100_000);

      const reusing = async function* (): AsyncGenerator<Uint8Array> {
        for (let at = 0; at < bytes.length; at += buffer.length) {
          buffer.set(bytes.subarray(at, at + buffer.length));
          yield buffer;
        }
      };
      await objects.put('reused', reusing());
      expect(same(await get('reused'), bytes)).toBe(true);
    });

    it('replaces an object of the same name', async () => {
      const [first, second] = [bytesOf(1_200_000, 1), bytesOf(700_000, 2)];
      await objects.put('again', inPieces(first));
      await bed.other.put('again', inPieces(second));
      expect(same(await get('again'), second)).toBe(true);
      expect(await objects.names('again')).toEqual(['again']);
    });

    it('keeps one whole object when several are put at the same time', async () => {
      const all = [1, 2, 3, 4].map((seed) => bytesOf(800_000 + seed, seed));
      await Promise.all(all.map((bytes, i) => (i % 2 === 0 ? objects : bed.other).put('race', inPieces(bytes))));
      const won = await get('race');
      expect(all.filter((bytes) => same(bytes, won))).toHaveLength(1);
    });

    it('keeps what was there when a put fails half-way, and shows nothing where nothing was', async () => {
      const bytes = bytesOf(900_000);
      await objects.put('kept', inPieces(bytes));

      const failing = async function* (): AsyncGenerator<Uint8Array> {
        yield bytesOf(1_100_000, 7);
        throw new Error('the disk is gone');
      };
      await expect(objects.put('kept', failing())).rejects.toThrow('the disk is gone');
      await expect(objects.put('never', failing())).rejects.toThrow('the disk is gone');
      expect(same(await get('kept'), bytes)).toBe(true);
      await expect(get('never')).rejects.toMatchObject(MISSING);
      expect(await objects.names('never')).toEqual([]);
    });

    it('misses what is not there, and what was deleted', async () => {
      await expect(get('nothing')).rejects.toMatchObject(MISSING);
      await objects.delete('nothing');
      await objects.put('gone', inPieces(bytesOf(10)));
      await bed.other.delete('gone');
      await expect(get('gone')).rejects.toMatchObject(MISSING);
      expect(await objects.names('gone')).toEqual([]);
      await objects.put('gone', inPieces(bytesOf(20)));
      expect(await get('gone')).toHaveLength(20);
    });

    it('names objects by prefix, in byte order', async () => {
      const names = ['n/b-10', 'n/b-2', 'n/é', 'n/z', 'n/B', 'n/user 1.copy*>', 'm/x'];
      for (const one of names) await objects.put(one, inPieces(bytesOf(3)));
      expect(await bed.other.names('n/')).toEqual(['n/B', 'n/b-10', 'n/b-2', 'n/user 1.copy*>', 'n/z', 'n/é']);
      expect(await bed.other.names('n/b-')).toEqual(['n/b-10', 'n/b-2']);
      expect(await bed.other.names('x/')).toEqual([]);
      expect(await get('n/user 1.copy*>')).toHaveLength(3);
    });

    it('says at the end of the bytes that they are damaged', async () => {
      await objects.put('damaged', inPieces(bytesOf(1_300_000)));
      await bed.damage('damaged');
      await expect(get('damaged')).rejects.toMatchObject({ reaction: 'fatal', code: 'OBJECT_DAMAGED' });
      await objects.put('damaged', inPieces(bytesOf(1_300_000)));
      expect(await get('damaged')).toHaveLength(1_300_000);
    });

    it('may be left half-way by its reader', async () => {
      const bytes = bytesOf(3_000_000);
      await objects.put('left', inPieces(bytes));
      let seen = 0;
      for await (const piece of objects.get('left')) {
        seen += piece.length;
        break;
      }
      expect(seen).toBeGreaterThan(0);
      expect(same(await get('left'), bytes)).toBe(true);
    });
  });
}
