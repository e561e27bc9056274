/**
 * Small stages to try the runtime with.
 *
 *   live      publishers ─▶ read ─▶ sum ─▶ rank ─▶ (totals)            each message an epoch of its own where it is read
 *                            └─▶ (dead-letter)
 *   bounded   chunks ─▶ split ─▶ gather ─▶ join ─▶ (results)           epochs end with the chunks that say so
 *             table ─▶ weigh ──────────────▲ side input, to all
 *
 * In `live` a user comes from one partition of publishers and an item belongs to one user, so that what is said of each item does not
 * depend on how the partitions interleave. In `bounded` nothing does, since all is said at the end of an epoch, in order.
 */
import { from, map, merge, mergeMap } from 'rxjs';
import { chained } from '../../runtime/plan/plan.js';
import { defineTopology, edge, source, topic, type Topology } from '../../runtime/contract/graph.js';
import {
  deadLetters,
  type Emission,
  frameOf,
  frameType,
  input,
  keyed,
  RAW,
  type Row,
  rowsOf,
  sideInput,
  stage,
  tables,
  textOf,
  value,
} from '../../runtime/contract/stage.js';

export const words = frameType('words', { user: 'text', item: 'text', n: 'f64' });
export const sums = frameType('sums', { user: 'text', item: 'text', n: 'f64', sum: 'f64' });
export const totals = frameType('totals', { item: 'text', sum: 'f64', total: 'f64', times: 'u32' });
export const weights = frameType('weights', { item: 'text', weight: 'f64' });
export const results = frameType('results', { user: 'text', n: 'f64', epochs: 'u32', weighted: 'f64' });

export type WordsRow = Row<typeof words.columns>;

/** What a stage of the tests may be asked to do with a line: throw, as a bug would. */
/** `rows`: how many the frame has. */
export type Trap = (line: string, rows?: number) => void;
const NO_TRAP: Trap = () => undefined;

/** `id user item n` per message, or per line of a chunk. Bad lines go to the dead letters; an id counts once. */
export const read = (trap: Trap = NO_TRAP) =>
  stage({
    id: 'read',
    key: 'source',
    version: 1,
    inputs: { events: input(RAW) },
    outputs: { rows: words, deadLetters },
    state: { seen: keyed<number>(undefined, { cachedBytesMax: 2000 }) },
    pipeline: ({ inputs, out, state, count }) =>
      inputs.events.pipe(
        mergeMap(({ messages }) => {
          const good: WordsRow[] = [];
          const bad: Partial<Row<typeof deadLetters.columns>>[] = [];
          for (const { data, sequence, subject } of messages) {
            for (const line of textOf(data).split('\n')) {
              trap(line);
              const [id = '', user, item, n] = line.split(' ');
              count('events', 1);
              if (n === undefined || Number.isNaN(Number(n))) {
                count('dead_letter', 1);
                bad.push({
                  original: line,
                  subject,
                  sequence,
                  stage: 'read',
                  rule: 'number',
                  reason: 'n is no number',
                });
              } else if (state.seen.get(id) !== undefined) count('duplicates', 1);
              else {
                state.seen.set(id, 1);
                count('on_time', 1);
                good.push({ user, item, n: Number(n) });
              }
            }
          }
          const said: Emission[] = [];
          if (good.length > 0) said.push(out.rows(frameOf(words, good)));
          if (bad.length > 0) said.push(out.deadLetters(frameOf(deadLetters, bad)));
          return from(said);
        }),
      ),
  });

/** sum(user) = Σ n, after each row. */
export const sum = (trap: Trap = NO_TRAP) =>
  stage({
    id: 'sum',
    key: 'user',
    version: 1,
    inputs: { rows: input(words) },
    outputs: { rows: sums },
    state: { sums: keyed<number>(undefined, { cachedBytesMax: 1000 }) },
    pipeline: ({ inputs, out, state, count }) =>
      inputs.rows.pipe(
        map((frame) => {
          const rows = rowsOf(frame).map((row) => {
            trap(row.user ?? '', frame.rows);
            count('events', 1);
            count('on_time', 1);
            const total = (state.sums.get(row.user ?? '') ?? 0) + row.n!;
            state.sums.set(row.user ?? '', total);
            return { ...row, sum: total };
          });
          return out.rows(frameOf(sums, rows));
        }),
      ),
  });

/** total(item) = Σ n, times(item) = rows, after each row; in a table. */
export const rank = stage({
  id: 'rank',
  key: 'item',
  version: 1,
  inputs: { rows: input(sums) },
  outputs: { rows: totals },
  state: { items: tables(totals, { key: ['item'] }) },
  pipeline: ({ inputs, out, state }) =>
    inputs.rows.pipe(
      map((frame) => {
        const table = state.items.table(0);
        const found = table.upsert(frame.columns);
        const rows = rowsOf(frame).map(({ item, n, sum: userSum }, i) => {
          table.values.total[found[i]!]! += n!;
          table.values.times[found[i]!]! += 1;
          return { item, sum: userSum, total: table.values.total[found[i]!], times: table.values.times[found[i]!] };
        });
        return out.rows(frameOf(totals, rows));
      }),
    ),
});

/** Lines of chunks to words; the end of a chunk's epoch is the runtime's to pass on. */
export const split = stage({
  id: 'split',
  key: 'source',
  version: 1,
  inputs: { events: input(RAW) },
  outputs: { rows: words },
  state: {},
  pipeline: ({ inputs, out, count }) =>
    inputs.events.pipe(
      map(({ messages }) => {
        const lines = messages.flatMap(({ data }) => textOf(data).trim().split('\n'));
        count('events', lines.length);
        count('on_time', lines.length);
        const rows = lines.map((line) => line.split(' ')).map(([user, item, n]) => ({ user, item, n: Number(n) }));
        return out.rows(frameOf(words, rows));
      }),
    ),
});

/** At the end of each epoch: Σ n of each user that it saw, users in order. */
export const gather = stage({
  id: 'gather',
  key: 'user',
  version: 1,
  inputs: { rows: input(words) },
  outputs: { rows: sums },
  state: {
    running: value<Record<string, number>>(() => ({})),
    before: keyed<number>(undefined, { cachedBytesMax: 500 }),
  },
  pipeline: ({ inputs, out, state, epochEnds }) =>
    merge(
      inputs.rows.pipe(
        mergeMap((frame) => {
          const running = state.running.get();
          for (const { user, n } of rowsOf(frame)) running[user!] = (running[user!] ?? 0) + n!;
          state.running.set(running);
          return [];
        }),
      ),
      epochEnds.pipe(
        mergeMap(() => {
          const running = state.running.get();
          state.running.set({});
          const rows = Object.keys(running)
            .sort()
            .map((user) => {
              const before = state.before.get(user) ?? 0;
              state.before.set(user, before + running[user]!);
              return { user, item: `${user}!`, n: running[user]!, sum: before + running[user]! };
            });
          return rows.length === 0 ? [] : [out.rows(frameOf(sums, rows))];
        }),
      ),
    ),
});

/** The table's weights to everybody, as they come. */
export const weigh = stage({
  id: 'weigh',
  key: 'item',
  version: 1,
  inputs: { table: input(weights) },
  outputs: { rows: weights },
  state: { rows: value(() => 0) },
  pipeline: ({ inputs, out, state }) =>
    inputs.table.pipe(
      map((frame) => {
        state.rows.set(state.rows.get() + frame.rows);
        return out.rows(frame);
      }),
    ),
});

/** weighted(user) = Σ n · weight(user!), a row at a time; needs the weights of an epoch before its rows. */
export const join = stage({
  id: 'join',
  key: 'user',
  version: 1,
  inputs: { rows: input(sums), weights: sideInput(weights) },
  outputs: { rows: results },
  state: { weights: keyed<number>(), seen: keyed<number>() },
  pipeline: ({ inputs, out, state }) =>
    merge(
      inputs.weights.pipe(
        mergeMap((frame) => {
          for (const { item, weight } of rowsOf(frame)) state.weights.set(item!, weight!);
          return [];
        }),
      ),
      inputs.rows.pipe(
        map((frame) => {
          const rows = rowsOf(frame).map(({ user, item, n, sum: total }) => {
            const epochs = (state.seen.get(user!) ?? 0) + 1;
            state.seen.set(user!, epochs);
            return { user, n: n!, epochs, weighted: total! * (state.weights.get(item!) ?? -1) };
          });
          return out.rows(frameOf(results, rows));
        }),
      ),
    ),
});

const PARTITIONS = { source: 2, user: 2, item: 2 };

export function liveToys({ partitions = PARTITIONS, trap = NO_TRAP, sumTrap = NO_TRAP } = {}): Topology {
  const [entry, adder] = [read(trap), sum(sumTrap)];
  const out = topic('totals', totals, 'item', { browsable: false });
  const bad = topic('dead-letter', deadLetters, 'source', { browsable: true });
  return defineTopology({
    partitions,
    stages: [entry, adder, rank],
    topics: [out, bad],
    edges: [
      edge(source('events'), entry.in.events, { by: 'source' }),
      edge(entry.out.rows, adder.in.rows, { by: 'user' }),
      edge(adder.out.rows, rank.in.rows, { by: 'item' }),
      edge(rank.out.rows, out.in.rows, { by: 'item' }),
      edge(entry.out.deadLetters, bad.in.rows, { by: 'source' }),
    ],
    aligned: new Set(),
  });
}

/** read ─▶ sum + check ─▶ rank, where `check` passes on all that it does not throw on. */
export function chainedToys(trap: Trap): Topology {
  const { stages, ...toys } = liveToys({ partitions: { source: 1, user: 1, item: 1 } });
  const check = stage({
    id: 'check',
    key: 'user',
    version: 1,
    inputs: { rows: input(sums) },
    outputs: { rows: sums },
    state: { checked: keyed<number>() },
    pipeline: ({ inputs, out, state }) =>
      inputs.rows.pipe(
        map((frame) => {
          for (const { user, sum: total } of rowsOf(frame)) {
            trap(user!);
            state.checked.set(user!, total!);
          }
          return out.rows(frame);
        }),
      ),
  });
  const edges = toys.edges.flatMap((one) =>
    one.to.stage === 'rank'
      ? [edge(one.from, check.in.rows, { by: 'user' }), edge(check.out.rows, one.to, { by: 'item' })]
      : [one],
  );
  return chained(defineTopology({ ...toys, stages: [...stages.slice(0, 2), check, ...stages.slice(2)], edges }));
}

export function boundedToys(partitions = { ...PARTITIONS, source: 1 }): Topology {
  const out = topic('results', results, 'user', { browsable: false });
  return defineTopology({
    partitions,
    stages: [split, gather, weigh, join],
    topics: [out],
    edges: [
      edge(source('folder'), split.in.events, { by: 'source' }),
      edge(source('table'), weigh.in.table, { by: 'item' }),
      edge(split.out.rows, gather.in.rows, { by: 'user' }),
      edge(gather.out.rows, join.in.rows, { by: 'user' }),
      edge(weigh.out.rows, join.in.weights, { by: 'all' }),
      edge(join.out.rows, out.in.rows, { by: 'user' }),
    ],
    aligned: new Set(['split', 'gather', 'weigh', 'join']),
  });
}
