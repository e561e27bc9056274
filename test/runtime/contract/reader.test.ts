import { describe, expect, it } from 'vitest';
import { keyed, readerOf, value } from '../../../runtime/contract/stage.js';

describe('readerOf', () => {
  const state = { items: keyed<string>(), revision: value(() => 0) };
  const reader = readerOf(state, ({ items, revision }) => ({
    title: (id: string) => items.get(id),
    revision: () => revision.get(),
  }));

  it('reads the states as they stand', () => {
    const states = { items: state.items.create(), revision: state.revision.create() };
    const { title, revision } = reader(states);
    expect([title('7'), revision()]).toEqual([undefined, 0]);
    states.items.set('7', 'Headphones');
    states.revision.set(1);
    expect([title('7'), revision()]).toEqual(['Headphones', 1]);
  });

  it('refuses the states of another stage', () => {
    expect(() => reader({ items: state.items.create() })).toThrow(/no revision/);
  });
});
