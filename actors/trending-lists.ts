/**
 * trending-lists: what all trending instances have said, as one list each.
 *
 *   list(w, ranking, c) = the first n of ⋃ top_o(w, ranking, c)        o  a trending instance; see maths/trending-list
 *
 *   live      a view of the newest window: `trendingReader` reads its cells, synchronously, between two inputs. Every change of a list has a
 *             revision, which is the same on all nodes, since it follows from what stands in the mailbox
 *   bounded   says the windows that have closed, each kind ascending, at the end of the epoch in which they did
 *
 * State    per list what each instance last said of it (some 100 bytes an entry), and its revision; the latest tick. A list without items is forgotten.
 * Restart  restored with the snapshot; what was said since is replayed from the mailbox.
 */
import { ignoreElements, map, merge, mergeMap, tap } from 'rxjs';
import {
  ABSENT,
  FrameBuilder,
  type FrameOf,
  input,
  json,
  type Keyed,
  keyed,
  stage,
  textAt,
  type Value,
  value,
} from '../runtime/contract/stage.js';
import { SIZE_MS, velocity } from './maths/trending.js';
import {
  alsoSaid,
  heardFrom,
  isOver,
  listOf,
  type SaidList,
  type SaidOfWindow,
  splitTrending,
  ticked,
  type TrendingEntry,
  type TrendingState,
} from './maths/trending-list.js';
import {
  TRENDING_RANKINGS,
  type TrendingRanking,
  TRENDING_WINDOWS,
  type TrendingWindow,
  trendingDays,
  trendingHours,
  trendingTops,
} from './model.js';

type Tops = FrameOf<typeof trendingTops>;

/** Windows that close in the running epoch, by name. */
type Closing = Readonly<Record<string, { readonly window: TrendingWindow; readonly said: SaidOfWindow }>>;

export interface TrendingListCells {
  readonly lists: Keyed<TrendingState>;
  /** Keys of lists of which a newer window has begun. */
  readonly rolling: Value<readonly string[]>;
  readonly tick: Value<number>;
  /** The revision of all lists that are not known. */
  readonly forgotten: Value<number>;
  readonly closing: Value<Closing>;
}

const only = <T>([one]: readonly T[]): T => one!;

export const trendingLists = ({ said }: { readonly said: 'live' | 'closed' }) =>
  stage({
    id: 'trending-lists',
    version: 1,
    key: 'whole',
    inputs: { tops: input(trendingTops) },
    outputs: { hours: trendingHours, days: trendingDays },
    state: {
      lists: keyed(json<TrendingState>(), { law: splitTrending }),
      rolling: value<readonly string[]>(() => [], undefined, only),
      tick: value(() => 0, undefined, only),
      forgotten: value(() => 0, undefined, only),
      closing: value<Closing>(() => ({}), undefined, only),
    },
    pipeline: ({ inputs, ticks, epochEnds, inputEnd, state, out }) => {
      if (said === 'live') {
        const hearing = inputs.tops.pipe(
          tap((frame) => {
            keep(state, groupsOf(frame));
          }),
        );
        const rolling = ticks.pipe(
          tap(({ timeMs }) => {
            roll(state, timeMs);
          }),
        );
        return merge(hearing, rolling).pipe(ignoreElements());
      }
      const hearing = inputs.tops.pipe(
        tap((frame) => {
          for (const group of groupsOf(frame)) addClosing(state.closing, group);
        }),
        ignoreElements(),
      );
      const closing = merge(epochEnds, inputEnd).pipe(
        mergeMap(() => {
          const windows = Object.values(state.closing.get());
          if (windows.length > 0) state.closing.set({});
          return windows.sort((a, b) => a.said.startMs - b.said.startMs);
        }),
        map(({ window, said }) =>
          window === 'hour'
            ? out.hours(rowsOf(trendingHours, window, said))
            : out.days(rowsOf(trendingDays, window, said)),
        ),
      );
      return merge(hearing, closing);
    },
  });

interface Group extends SaidList {
  readonly window: TrendingWindow;
  readonly category: string;
}

/** Key of the list over all categories. */
const ALL = '';

const keyOf = (window: TrendingWindow, ranking: TrendingRanking, category: string): string =>
  `${window}/${ranking}/${category}`;

/** The lists of a frame; none is cut. */
function groupsOf({ rows, columns }: Tops): Group[] {
  const { window, ranking, start, asOf, category, origin, item, itemCategory, views, clicks, value, score, before } =
    columns;
  const groups: (Group & { readonly list: TrendingEntry[] })[] = [];
  for (let row = 0; row < rows; row++) {
    const last = row - 1;
    const isNew =
      row === 0 ||
      window[row] !== window[last] ||
      ranking[row] !== ranking[last] ||
      start[row] !== start[last] ||
      category.codes[row] !== category.codes[last] ||
      origin[row] !== origin[last];
    if (isNew) {
      groups.push({
        window: TRENDING_WINDOWS[window[row]!]!,
        ranking: TRENDING_RANKINGS[ranking[row]!]!,
        category: textAt(category.dictionary, category.codes[row]!) ?? ALL,
        startMs: start[row]!,
        asOfMs: asOf[row]!,
        origin: origin[row]!,
        list: [],
      });
    }
    if (item.codes[row] === ABSENT) continue;
    groups.at(-1)!.list.push({
      item: textAt(item.dictionary, item.codes[row]!)!,
      value: value[row]!,
      views: views[row]!,
      clicks: clicks[row]!,
      category: textAt(itemCategory.dictionary, itemCategory.codes[row]!) ?? '',
      score: score[row]!,
      before: before[row]!,
    });
  }
  return groups;
}

function keep(cells: TrendingListCells, groups: readonly Group[]): void {
  const { lists, rolling, tick, forgotten } = cells;
  const keys = new Set(rolling.get());
  for (const group of groups) {
    const key = keyOf(group.window, group.ranking, group.category);
    const before = lists.get(key);
    const after = heardFrom(before, group, tick.get(), forgotten.get());
    if (after !== undefined) put(cells, key, after);
    if (after?.next !== undefined) keys.add(key);
  }
  if (keys.size > rolling.get().length) rolling.set([...keys]);
}

/** Only what has items, or is about to change, is remembered. */
function put({ lists, forgotten }: TrendingListCells, key: string, state: TrendingState): void {
  if (!isOver(state)) {
    lists.set(key, state);
    return;
  }
  lists.delete(key);
  forgotten.set(Math.max(forgotten.get(), state.revision));
}

function roll(cells: TrendingListCells, tickMs: number): void {
  const { lists, rolling, tick } = cells;
  tick.set(Math.max(tick.get(), tickMs));
  if (rolling.get().length === 0) return;
  const left = rolling.get().filter((key) => {
    const before = lists.get(key);
    if (before === undefined) return false;
    const after = ticked(before, tick.get());
    if (after !== before) put(cells, key, after);
    return after.next !== undefined;
  });
  rolling.set(left);
}

function addClosing(cell: Value<Closing>, group: Group): void {
  if (group.list.length === 0) return;
  const { window, startMs } = group;
  const name = `${window}/${startMs}`;
  const closing = cell.get();
  cell.set({ ...closing, [name]: { window, said: alsoSaid(closing[name]?.said, group) } });
}

/** Days have the columns of hours. */
function rowsOf(type: typeof trendingHours, window: TrendingWindow, said: SaidOfWindow): FrameOf<typeof trendingHours> {
  const { startMs } = said;
  const list = listOf(said);
  const builder = new FrameBuilder(type, list.length);
  const { columns } = builder;
  list.forEach(({ item, views, clicks, score }, row) => {
    columns.start[row] = startMs;
    columns.end[row] = startMs + SIZE_MS[window];
    columns.item.codes[row] = columns.item.dictionary.addText(item);
    columns.views[row] = views;
    columns.clicks[row] = clicks;
    columns.score[row] = score;
    columns.rank[row] = row + 1;
  });
  builder.rows = list.length;
  return builder.finish();
}

export interface ReadEntry extends TrendingEntry {
  /** Score per hour. */
  readonly velocity: number;
}

export interface ReadTrending {
  readonly revision: number;
  /** [start, end), epoch ms; absent when nothing is in it. */
  readonly window: { readonly startMs: number; readonly endMs: number } | undefined;
  readonly list: readonly ReadEntry[];
}

/** Reads the cells of the one instance. The same object until it changes. */
export function trendingReader(
  cells: TrendingListCells,
): (window: TrendingWindow, ranking: TrendingRanking, category: string | undefined) => ReadTrending {
  const known = new Map<string, ReadTrending>();
  let nothing: ReadTrending = { revision: 0, window: undefined, list: [] };
  return (window, ranking, category = ALL) => {
    const key = keyOf(window, ranking, category);
    const state = cells.lists.get(key);
    const before = known.get(key);
    if (state === undefined) {
      known.delete(key);
      const forgotten = cells.forgotten.get();
      if (nothing.revision !== forgotten) nothing = { ...nothing, revision: forgotten };
      return nothing;
    }
    const { now, revision, asOfMs } = state;
    if (before?.revision === revision) return before;
    const [{ startMs }, size] = [now, SIZE_MS[window]];
    const list = listOf(now).map((entry) => ({
      ...entry,
      velocity: velocity(entry.score, entry.before, startMs, size, asOfMs),
    }));
    const read = { revision, window: { startMs, endMs: startMs + size }, list };
    known.set(key, read);
    return read;
  };
}
