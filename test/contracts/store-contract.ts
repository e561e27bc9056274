/** What every Store does (runtime/contract/ports.ts), whatever is behind it. Run on LevelDB and on the in-memory double. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import type { Store, StoreChange } from '../../runtime/contract/ports.js';

export interface StoreBed {
  /** Opens the store; again after `close`, it holds what was written. */
  open(): Promise<Store>;
  stop(): Promise<void>;
}

const put = (key: string, text: string): StoreChange => ({ key, value: utf8(text) });
const remove = (key: string): StoreChange => ({ key, value: undefined });

export function storeContract(name: string, makeBed: () => Promise<StoreBed>): void {
  describe(`store contract: ${name}`, () => {
    let bed: StoreBed;
    let store: Store;

    beforeEach(async () => {
      bed = await makeBed();
      store = await bed.open();
    });
    afterEach(async () => {
      await store.close();
      await bed.stop();
    });

    const read = (key: string): string | undefined => {
      const value = store.getSync(key);
      return value === undefined ? undefined : textOf(value);
    };
    const list = async (prefix: string): Promise<[string, string][]> =>
      (await store.entries(prefix)).map(([key, value]) => [key, textOf(value)]);

    it('gives back what was written, and undefined for what was not', async () => {
      await store.write([put('a', '1'), put('b', '2')]);
      expect([read('a'), read('b'), read('c'), read('')]).toEqual(['1', '2', undefined, undefined]);
    });

    it('overwrites and deletes; to delete what is not there is nothing', async () => {
      await store.write([put('a', '1'), put('b', '2')]);
      await store.write([put('a', '3'), remove('b'), remove('c')]);
      expect([read('a'), read('b')]).toEqual(['3', undefined]);
    });

    it('applies a batch in its order: delete and put of one key in one batch', async () => {
      await store.write([put('a', '1'), put('b', '1')]);
      await store.write([remove('a'), put('a', '2'), put('b', '2'), remove('b'), put('c', '1'), put('c', '2')]);
      expect([read('a'), read('b'), read('c')]).toEqual(['2', undefined, '2']);
    });

    it('writes all of a batch or nothing', async () => {
      await store.write([put('a', '1')]);
      const broken = { key: 'c', value: 5 as unknown as Uint8Array };
      const unreadable = new Proxy(broken, {
        get: () => {
          throw new TypeError('unreadable');
        },
      });
      await expect((async () => store.write([put('a', '2'), put('b', '1'), unreadable]))()).rejects.toThrow();
      expect([read('a'), read('b')]).toEqual(['1', undefined]);
    });

    it('takes an empty batch', async () => {
      await store.write([]);
      expect(await store.entries('')).toEqual([]);
    });

    it('keeps binary values: every byte, none, many', async () => {
      const every = Uint8Array.from({ length: 256 }, (_, i) => i);
      const many = new Uint8Array(300_000).map((_, i) => i * 7);
      // A view into the middle of a larger buffer, as frames give them.
      const view = new Uint8Array(many.buffer, 1001, 333);
      await store.write([
        { key: 'every', value: every },
        { key: 'none', value: new Uint8Array(0) },
        { key: 'many', value: many },
        { key: 'view', value: view },
      ]);
      const [first, none, large, part] = ['every', 'none', 'many', 'view'].map((key) => store.getSync(key)!);
      expect(Uint8Array.from(first!)).toEqual(every);
      expect(none).toHaveLength(0);
      expect(Uint8Array.from(part!)).toEqual(Uint8Array.from(view));
      expect(Buffer.compare(large!, many)).toBe(0);
    });

    it('has copied when it is called: what is done to the bytes afterwards does not show', async () => {
      const value = utf8('before');
      const writing = store.write([{ key: 'a', value }]);
      value.fill(0);
      await writing;
      expect(read('a')).toBe('before');
      store.getSync('a')!.fill(0);
      (await store.entries('a'))[0]![1].fill(0);
      expect(read('a')).toBe('before');
    });

    it('lists the keys with a prefix and no others, in byte order', async () => {
      const keys = ['p/10', 'p/1', 'p/2', 'p/', 'p', 'q/1', 'o/1', 'p0', 'p/ü', 'p/Z', 'p/a'];
      await store.write(keys.map((key) => put(key, key)));
      const listed = ['p/', 'p/1', 'p/10', 'p/2', 'p/Z', 'p/a', 'p/ü'];
      expect(await list('p/')).toEqual(listed.map((key) => [key, key]));
      expect((await list('p')).map(([key]) => key)).toEqual(['p', ...listed, 'p0']);
      expect(await list('r')).toEqual([]);
      expect(await list('')).toHaveLength(keys.length);
    });

    it('lists keys of any script, also above U+FFFF', async () => {
      const keys = ['k/🛒', 'k/\u{10ffff}', 'k/\uffff', 'k/\uffffx', 'k/日本', 'k/a'];
      await store.write([...keys, 'l'].map((key) => put(key, key)));
      const inBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      expect((await list('k/')).map(([key]) => key)).toEqual(inBytes);
      expect(await list('k/🛒')).toEqual([['k/🛒', 'k/🛒']]);
      expect((await list('k/\uffff')).map(([key]) => key)).toEqual(['k/\uffff', 'k/\uffffx']);
    });

    it('lists more than it reads at a time', async () => {
      const keys = Array.from({ length: 2_500 }, (_, i) => `n/${String(i).padStart(5, '0')}`);
      await store.write(keys.map((key) => put(key, key)));
      expect((await list('n/')).map(([key]) => key)).toEqual(keys);
    });

    it('still has it when opened again', async () => {
      await store.write([put('a', '1'), put('b', '2')]);
      await store.write([remove('a'), put('c', '3')]);
      await store.close();
      store = await bed.open();
      expect(await list('')).toEqual([
        ['b', '2'],
        ['c', '3'],
      ]);
    });

    it('agrees with a map over any batches and reopenings', async () => {
      const key = fc.constantFrom('a', 'a/', 'a/1', 'a/10', 'b', 'ä', '🛒', '\uffff');
      const change = fc.record({ key, value: fc.option(fc.uint8Array({ maxLength: 8 }), { nil: undefined }) });
      const step = fc.oneof(
        { weight: 8, arbitrary: fc.array(change, { maxLength: 6 }) },
        fc.constant('reopen' as const),
      );
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
          await store.write((await store.entries('')).map(([old]) => remove(old)));
          const oracle = new Map<string, Uint8Array>();
          for (const batch of steps) {
            if (batch === 'reopen') {
              await store.close();
              store = await bed.open();
              continue;
            }
            await store.write(batch);
            for (const { key: at, value } of batch) {
              if (value === undefined) oracle.delete(at);
              else oracle.set(at, value);
            }
          }
          const listed = (await store.entries('')).map(([at, value]) => [at, Uint8Array.from(value)] as const);
          expect(new Map(listed)).toEqual(oracle);
          for (const [at, value] of oracle) expect(Uint8Array.from(store.getSync(at)!)).toEqual(value);
        }),
        { numRuns: 20 },
      );
    });
  });
}
