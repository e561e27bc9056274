/**
 * learnRanking(state): learns from events, one after the other (ranking-learner); emits nothing.
 *
 *   events   --a--|      a: u 1, u 2, u 3
 *   result   -----|      1 and 2, 2 and 3, 1 and 3 go together; each counts once; the newest items of u are 3, 2, 1; weights moved where 2 or 3 was a candidate
 *
 * Law: but for which events weights are learnt from (`learntEvery`), the state depends on the events and their order alone, not on how
 * they are divided into frames.
 */
import { ignoreElements, type Observable, tap } from 'rxjs';
import { type FrameOf, type Keyed, slice, textAt, type Value } from '../../runtime/contract/stage.js';
import { type Choice, contextOf, FEATURES, Ranker } from './ranker.js';
import { type RunningScores, withChoice } from './running-scores.js';
import type { Knowledge } from './sources.js';
import { type FeatureRows, learn, scored, type Weights } from '../maths/rank/listwise-logit.js';
import { NONE } from '../maths/rank/neighbour-list.js';
import { IMPRESSION, type sampledEvents } from '../model.js';
import type { StoredFactors } from './factor-table.js';
import { ItemFactors } from './factors.js';
import { FadedCounts } from './faded-counts.js';
import { type ItemSignals, type ItemSignalTables, signalsOf } from './item-signals.js';
import { type LatestItems, NO_ITEMS, withItem } from '../maths/rank/latest-items.js';
import {
  NEXT_MAX,
  type Neighbours,
  type NeighboursState,
  noNeighbours,
  renumbered,
  SIMILAR_MAX,
  TOGETHER_MAX,
} from './neighbours.js';
import { follow, show, type ShownItem, type ShownState } from './shown.js';
import type { NewItems } from './new-items.js';
import type { NameTables } from '../state/numbered-names.js';

export interface RankingState extends ShownState {
  readonly items: ItemSignalTables;
  readonly names: NameTables;
  readonly neighbours: NeighboursState;
  readonly users: Keyed<LatestItems>;
  readonly weights: Value<Weights>;
  readonly scores: Value<RunningScores>;
  readonly factors: Value<StoredFactors>;
  readonly newItems: Value<NewItems>;
}

const POSITION_AT = FEATURES.indexOf('position');

export interface LearningOptions {
  /** Weights are learnt from one event out of so many, by how many the frame has. */
  readonly learntEvery: (rows: number) => number;
  /** For an evaluation: what a user chose, among which candidates, with which scores, before any of it is learnt. */
  readonly onChoice?: (choice: Choice) => void;
}

type Events = FrameOf<typeof sampledEvents>;

export const learnRanking = (state: RankingState, options: LearningOptions) => (frames: Observable<Events>) => {
  const learner = new RankingLearner(state, options);
  return frames.pipe(
    tap((frame) => {
      learner.take(frame);
    }),
    ignoreElements(),
  );
};

/** How far before the newest item items go together, and are similar. */
const TOGETHER_WITHIN = 3;
const SIMILAR_FADE = 0.9;

export const keyOfCategory = (category: number): string => `c${category}`;

export class RankingLearner {
  private readonly signals: ItemSignals;
  private readonly known: Knowledge;
  private readonly ranker: Ranker;

  constructor(
    private readonly state: RankingState,
    private readonly options: LearningOptions,
  ) {
    this.signals = signalsOf(state);
    this.known = knowledgeOf(this.signals, state);
    this.ranker = new Ranker(this.known);
  }

  take(frame: Events): void {
    const { type } = frame.columns;
    // Runs of impressions, and of others.
    for (let start = 0, end = 0; start < frame.rows; start = end) {
      const isShown = type[start] === IMPRESSION;
      while (end < frame.rows && (type[end] === IMPRESSION) === isShown) end++;
      const run = start === 0 && end === frame.rows ? frame : slice(frame, start, end);
      if (isShown) this.show(run);
      else this.takeEvents(run, this.options.learntEvery(frame.rows));
    }
  }

  private show({ rows, columns }: Events): void {
    const { time, user, item, position, arm } = columns;
    for (let row = 0; row < rows; row++) {
      const place = Number.isNaN(position[row]) ? 0 : position[row]!;
      const one = { item: textAt(item.dictionary, item.codes[row]!)!, position: place, at: time[row]! };
      show(this.state, textAt(user.dictionary, user.codes[row]!)!, textAt(arm.dictionary, arm.codes[row]!), one);
    }
  }

  private takeEvents(frame: Events, step: number): void {
    const { time, user, item } = frame.columns;
    const numbers = this.signals.numbersOf(frame);
    const count = this.signals.counterOf(frame, numbers);
    for (let row = 0; row < frame.rows; row++) {
      const id = textAt(user.dictionary, user.codes[row]!)!;
      const before = this.state.users.get(id) ?? NO_ITEMS;
      const name = textAt(item.dictionary, item.codes[row]!)!;
      const { at: place, ...after } = withItem(before, name, time[row]!);
      const shown = follow(this.state, id, name, time[row]!);
      if (place === 0 && row % step === 0) this.choose(row, before, numbers[row]!, time[row]!, shown);
      if (!before.items.includes(name)) this.known.factors.note(name, this.signals.known(before.items));
      count(row);
      if (place === undefined) continue;
      if (before.items[place] !== after.items[place]) {
        this.relate(numbers[row]!, this.signals.known(after.items.slice(place + 1)));
      }
      this.state.users.set(id, after);
    }
    this.dropRare();
  }

  private choose(row: number, before: LatestItems, chosen: number, atMs: number, shown: readonly ShownItem[]): void {
    const history = this.signals.known(before.items);
    if (history.length === 0 || history[0] === chosen) return;
    const { items, rows } = this.ranker.candidates({ history, atMs });
    const context = contextOf(history.length, atMs - before.times[0]!);
    const weights = this.state.weights.get();
    const scores = scored(weights, rows, context);
    const choice = { row, history, chosen, items, rows, scores };
    this.options.onChoice?.(choice);
    this.state.scores.set(withChoice(this.state.scores.get(), choice));
    const among = this.shownRows(items, rows, shown) ?? { items, rows };
    const place = among.items.indexOf(chosen);
    if (place < 0) return;
    learn(weights, among.rows, context, among.rows === rows ? scores : scored(weights, among.rows, context), place);
    this.state.weights.set(weights);
  }

  /** The candidates that were shown, with their positions; absent: fewer than two were. */
  private shownRows(items: readonly number[], { features, values }: FeatureRows, shown: readonly ShownItem[]) {
    const positions = new Map(shown.map(({ item, position }) => [this.signals.find(item), position]));
    const places = [...items.keys()].filter((place) => positions.has(items[place]!));
    if (places.length < 2) return undefined;
    const own = new Float64Array(places.length * features);
    places.forEach((place, i) => {
      own.set(values.subarray(place * features, (place + 1) * features), i * features);
      own[i * features + POSITION_AT] = Math.log1p(positions.get(items[place]!)!);
    });
    return { items: places.map((place) => items[place]!), rows: { features, count: places.length, values: own } };
  }

  /** `before`: newest first, without the item. */
  private relate(item: number, before: readonly number[]): void {
    const own = before.length === 0 ? undefined : this.of(String(item));
    for (let m = 0, weight = 1; m < before.length; m++, weight *= SIMILAR_FADE) {
      const key = String(before[m]!);
      const other = this.of(key);
      if (m < TOGETHER_WITHIN) {
        own!.together.add(before[m]!, 1, TOGETHER_MAX);
        other.together.add(item, 1, TOGETHER_MAX);
      }
      own!.similar.add(before[m]!, weight, SIMILAR_MAX);
      other.similar.add(item, weight, SIMILAR_MAX);
      if (m === 0) other.next.add(item, 1, NEXT_MAX);
      this.state.neighbours.set(key, other);
    }
    if (own === undefined) return;
    this.state.neighbours.set(String(item), own);
    for (const from of this.signals.categoriesOf(before[0]!)) {
      const key = keyOfCategory(from);
      const category = this.of(key);
      for (const to of this.signals.categoriesOf(item)) category.next.add(to, 1, NEXT_MAX);
      this.state.neighbours.set(key, category);
    }
  }

  private of(key: string): Neighbours {
    return this.state.neighbours.get(key) ?? noNeighbours();
  }

  private dropRare(): void {
    const numbers = this.signals.dropRare();
    if (numbers === undefined) return;
    const { neighbours } = this.state;
    const kept: [string, Neighbours][] = [];
    numbers.forEach((number, was) => {
      const of = neighbours.get(String(was));
      if (of === undefined) return;
      neighbours.delete(String(was));
      if (number !== NONE) kept.push([String(number), renumbered(of, numbers)]);
    });
    for (const [key, of] of kept) neighbours.set(key, of);
  }
}

export const knowledgeOf = (
  signals: ItemSignals,
  { neighbours, factors, newItems }: Pick<RankingState, 'neighbours' | 'factors' | 'newItems'>,
): Knowledge => ({
  signals,
  faded: new FadedCounts(signals),
  neighboursOf: (item) => neighbours.get(String(item)),
  categoryNeighbours: (category) => neighbours.get(keyOfCategory(category)),
  factors: new ItemFactors(signals, factors, newItems),
});
