/** What every KeyValue does (runtime/contract/ports.ts), whatever is behind it. Run on JetStream and on the in-memory double. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import type { KeyValue, KeyValueEntry } from '../../runtime/contract/ports.js';
import { eventually } from '../support/eventually.js';

export interface KeyValueBed {
  readonly table: KeyValue;
  /** Another client of the same table. */
  readonly other: KeyValue;
  /** A table whose entries end by themselves after this time. */
  readonly leases: KeyValue;
  readonly leaseMs: number;
  /** Lets time go by for `leases`. */
  elapse(ms: number): Promise<void>;
  stop(): Promise<void>;
}

const FENCED = { reaction: 'transient', code: 'FENCED' };

const plain = (entry: KeyValueEntry | undefined): object | undefined =>
  entry === undefined ? undefined : { ...entry, value: textOf(entry.value) };

export function keyValueContract(name: string, makeBed: () => Promise<KeyValueBed>): void {
  describe(`key-value contract: ${name}`, () => {
    let bed: KeyValueBed;
    let table: KeyValue;
    let made = 0;
    /** A key that no other test uses. */
    const newKey = (): string => `user-${++made}`;

    beforeAll(async () => {
      bed = await makeBed();
      table = bed.table;
    });
    afterAll(() => bed.stop());

    it('gives what was put, with a revision that rises over all keys', async () => {
      const [a, b] = [newKey(), newKey()];
      const first = await table.put(a, utf8('1'));
      const second = await table.put(b, utf8('2'));
      const third = await table.put(a, utf8('3'));
      expect(first).toBeGreaterThan(0);
      expect(second).toBeGreaterThan(first);
      expect(third).toBeGreaterThan(second);
      expect(plain(await bed.other.get(a))).toMatchObject({ key: a, value: '3', revision: third });
      expect(plain(await bed.other.get(b))).toMatchObject({ key: b, value: '2', revision: second });
      expect(await table.get(newKey())).toBeUndefined();
    });

    it('keeps bytes as they are, none included, and keys of several words', async () => {
      const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
      for (const [key, value] of [
        ['all-bytes', bytes],
        ['no-bytes', new Uint8Array(0)],
        ['node.a_1/b=c-2', bytes],
      ] as const) {
        await table.put(key, value);
        expect(new Uint8Array((await table.get(key))!.value)).toEqual(new Uint8Array(value));
      }
    });

    it('lists entries, not those that were deleted', async () => {
      const [a, b, c] = [newKey(), newKey(), newKey()];
      for (const key of [c, a, b]) await table.put(key, utf8(key));
      await table.delete(b);
      const listed = (await bed.other.entries()).filter(({ key }) => [a, b, c].includes(key));
      expect(listed.map(plain)).toEqual([await table.get(a), await table.get(c)].map(plain));
      expect(listed.map(({ key }) => key)).toEqual([a, c]);
    });

    describe('compare-and-set', () => {
      it('takes the place of the revision that is named', async () => {
        const key = newKey();
        const first = await table.put(key, utf8('1'), 0);
        const second = await bed.other.put(key, utf8('2'), first);
        expect(plain(await table.get(key))).toMatchObject({ value: '2', revision: second });
      });

      it('refuses any other as FENCED, and changes nothing', async () => {
        const key = newKey();
        const first = await table.put(key, utf8('1'));
        const second = await table.put(key, utf8('2'));
        for (const revision of [0, first, second + 1]) {
          await expect(table.put(key, utf8('x'), revision)).rejects.toMatchObject(FENCED);
        }
        await expect(table.put(newKey(), utf8('x'), second)).rejects.toMatchObject(FENCED);
        expect(plain(await table.get(key))).toMatchObject({ value: '2', revision: second });
      });

      it('lets one of many through', async () => {
        const key = newKey();
        for (let revision = 0, round = 0; round < 5; round++) {
          const tries = Array.from({ length: 8 }, (_, i) =>
            (i % 2 === 0 ? table : bed.other).put(key, utf8(`${round} ${i}`), revision),
          );
          const won = (await Promise.allSettled(tries)).flatMap((one, i) =>
            one.status === 'fulfilled' ? [{ revision: one.value, value: `${round} ${i}` }] : [],
          );
          expect(won).toHaveLength(1);
          expect(plain(await table.get(key))).toMatchObject(won[0]!);
          revision = won[0]!.revision;
        }
      });
    });

    describe('delete', () => {
      it('leaves nothing, and revision 0 may take the place', async () => {
        const key = newKey();
        const first = await table.put(key, utf8('1'));
        await table.delete(key);
        expect(await bed.other.get(key)).toBeUndefined();
        await expect(table.put(key, utf8('x'), first)).rejects.toMatchObject(FENCED);
        const again = await table.put(key, utf8('2'), 0);
        expect(again).toBeGreaterThan(first);
        await expect(table.put(key, utf8('x'), 0)).rejects.toMatchObject(FENCED);
        expect(plain(await table.get(key))).toMatchObject({ value: '2', revision: again });
      });

      it('of a revision is refused as FENCED when the key has moved on', async () => {
        const key = newKey();
        const first = await table.put(key, utf8('1'));
        const second = await table.put(key, utf8('2'));
        await expect(table.delete(key, first)).rejects.toMatchObject(FENCED);
        expect(await table.get(key)).toBeDefined();
        await table.delete(key, second);
        expect(await table.get(key)).toBeUndefined();
      });

      it('of what is not there does nothing', async () => {
        const key = newKey();
        await table.delete(key);
        await table.delete(key, 5);
        await table.put(key, utf8('1'), 0);
        await table.delete(key);
        await table.delete(key);
        expect(await table.get(key)).toBeUndefined();
      });

      it('lets one of several take the place of what was deleted', async () => {
        const key = newKey();
        await table.put(key, utf8('1'));
        await table.delete(key);
        const tries = Array.from({ length: 6 }, (_, i) => (i % 2 === 0 ? table : bed.other).put(key, utf8(`${i}`), 0));
        const won = (await Promise.allSettled(tries)).filter(({ status }) => status === 'fulfilled');
        expect(won).toHaveLength(1);
      });
    });

    describe('watch', () => {
      it('reports what is there, then puts and deletes of any client, until it is stopped', async () => {
        const [before, a, b] = [newKey(), newKey(), newKey()];
        await table.put(before, utf8('0'));
        const told: string[] = [];
        const values: (string | undefined)[] = [];
        const view = await table.watch((key, value) => {
          if (![before, a, b].includes(key)) return;
          told.push(key);
          values.push(value === undefined ? undefined : textOf(value));
        });
        await table.put(a, utf8('1'));
        await bed.other.put(b, utf8('2'));
        await eventually(() => expect(told).toEqual([before, a, b]));
        await bed.other.delete(a);
        await eventually(() => expect(told).toEqual([before, a, b, a]));
        expect(values).toEqual(['0', '1', '2', undefined]);
        await view.stop();
        const after: string[] = [];
        const other = await table.watch((key, value) => {
          if (key === b && textOf(value!) === '3') after.push(key);
        });
        await table.put(b, utf8('3'));
        await eventually(() => expect(after).toEqual([b]));
        expect(told).toEqual([before, a, b, a]);
        await other.stop();
      });

      it('holds all that was written before it is read, as the table has it', async () => {
        const [a, b] = [newKey(), newKey()];
        await table.put(a, utf8('1'));
        const view = await table.watch(() => undefined);
        for (let i = 0; i < 20; i++) {
          await bed.other.put(b, utf8(`${i}`));
          if (i % 3 === 2) await bed.other.delete(b);
          expect((await view.entries()).map(plain)).toEqual((await table.entries()).map(plain));
        }
        await view.stop();
      });
    });

    describe('entries that end by themselves', () => {
      const ended = (key: string): Promise<void> =>
        eventually(async () => {
          await bed.elapse(bed.leaseMs / 10);
          expect(await bed.leases.get(key)).toBeUndefined();
        });

      it('stay for as long as they are put again, and end after that', async () => {
        const key = newKey();
        let revision = await bed.leases.put(key, utf8('0'), 0);
        const view = await bed.leases.watch(() => undefined);
        for (let i = 1; i <= 6; i++) {
          await bed.elapse(bed.leaseMs / 4);
          revision = await bed.leases.put(key, utf8(`${i}`), revision);
          expect((await view.entries()).map((entry) => entry.key)).toContain(key);
        }
        expect(plain(await bed.leases.get(key))).toMatchObject({ value: '6', revision });
        await ended(key);
        expect((await bed.leases.entries()).map((entry) => entry.key)).not.toContain(key);
        await eventually(async () => expect((await view.entries()).map((entry) => entry.key)).not.toContain(key));
        await view.stop();
        await expect(bed.leases.put(key, utf8('late'), revision)).rejects.toMatchObject(FENCED);
        expect(await bed.leases.put(key, utf8('new'), 0)).toBeGreaterThan(revision);
      });

      it('do not stand in the way when they were deleted first', async () => {
        const key = newKey();
        await bed.leases.put(key, utf8('1'));
        await bed.leases.delete(key);
        await bed.leases.put(key, utf8('2'), 0);
        await bed.leases.delete(key);
        await bed.elapse(bed.leaseMs * 1.5);
        await bed.leases.put(key, utf8('3'), 0);
        expect(plain(await bed.leases.get(key))).toMatchObject({ value: '3' });
      });
    });
  });
}
