import { expect, it } from 'vitest';
import { utf8 } from '../../runtime/frames/bytes.js';
import { fatal } from '../../runtime/contract/errors.js';
import { FailingStore, type WriteFate } from '../../state/failing-store.js';
import { MemoryStore } from '../../state/memory-store.js';

const change = (key: string) => [{ key, value: utf8(key) }];

it('refuses, or writes and does not say so, as told', async () => {
  const inner = new MemoryStore();
  const fates: WriteFate[] = ['done', 'refused', 'unsaid'];
  const store = new FailingStore(inner, { fate: (n) => fates[n - 1]! });
  await store.write(change('a'));
  await expect(store.write(change('b'))).rejects.toMatchObject({ reaction: 'transient', code: 'STATE_WRITE' });
  await expect(store.write(change('c'))).rejects.toMatchObject({ reaction: 'transient', code: 'STATE_WRITE' });
  expect([...inner.contents().keys()]).toEqual(['a', 'c']);
});

it('throws the error that it was given', async () => {
  const error = (): Error => fatal('STATE_WRITE', 'no space left');
  const store = new FailingStore(new MemoryStore(), { fate: () => 'refused', error });
  await expect(store.write(change('a'))).rejects.toMatchObject({ reaction: 'fatal', code: 'STATE_WRITE' });
});

it('writes nothing and answers nothing once it is cut', async () => {
  const inner = new MemoryStore();
  let go = (): void => undefined;
  const store = new FailingStore(inner, { turn: () => new Promise((resolve) => (go = resolve)) });
  let answered = false;
  void store.write(change('a')).finally(() => (answered = true));
  store.cut();
  go();
  await new Promise(setImmediate);
  expect([answered, inner.contents().size]).toEqual([false, 0]);
});
