/** A bounded input with aligned epochs, a side input and a sink: every message of the results is the one of a run without faults. */
import { expect, it } from 'vitest';
import { expectSeeds } from './expect-seeds.js';
import { toyBounded } from './toy-jobs.js';

it('ends as without faults, or is refused where the log lies', { timeout: 180_000 }, () =>
  expectSeeds(toyBounded, 300),
);

it('has something to say', async () => {
  const { messages, sink } = (await toyBounded.reference()) as {
    messages: Record<string, { rows: unknown[]; endsInput: boolean }[]>;
    sink: string[];
  };
  expect(Object.keys(messages)).toEqual(['rivulet.results.0.join.0', 'rivulet.results.1.join.1']);
  for (const said of Object.values(messages)) {
    expect(said.filter(({ rows }) => rows.length > 0).length).toBeGreaterThan(2);
    expect(said.at(-1)).toMatchObject({ rows: [], endsInput: true });
  }
  expect(sink.length).toBeGreaterThan(10);
});
