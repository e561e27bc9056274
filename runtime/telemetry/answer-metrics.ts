/**
 * answer-metrics: what the lists given by GetRecommendations, BatchGetRecommendations and GET /reco consist of.
 *
 *   personal   begins with items of the user's own list      fallback   popular items only, typed as such      empty   no items
 *   share      of the lists of the last WINDOW_MINUTES, up to one minute more
 *
 * A list costs one addition. Lists that are streamed are not counted: one subscriber gets as many as there are changes. Memory: one sample a minute,
 * WINDOW_MINUTES + 1 of them.
 */
import type { Registry } from 'prom-client';
import { registerCounter } from './pull-metrics.js';

const KINDS = ['personal', 'fallback', 'empty'] as const;
export type AnswerKind = (typeof KINDS)[number];

type Counts = Record<AnswerKind, number>;

export interface RecentAnswers {
  readonly count: number;
  readonly fallback: number;
  readonly empty: number;
}

const WINDOW_MINUTES = 5;
const MINUTE_MS = 60_000;

/** Shares of fewer lists mean little: a handful of calls by hand, or the page, must not raise a warning. */
const ANSWERS_MIN = 100;
/** Half of the callers get the same list as everybody. New visitors alone are rarely so many. */
const FALLBACK_HIGH = 0.5;
/** One item that is popular is enough for a list: so none should be empty, except a few in categories that do not exist. */
const EMPTY_HIGH = 0.01;
/** A warning ends below this part of its threshold, so that a share near it is not reported again and again. */
const CALM = 0.5;

const FALLBACK_HELP =
  'do calls and events name the same user ids, do events (or their items in the catalogue) have a category, and is anything popular in it?';
const EMPTY_HELP = 'is anything popular yet, and do callers ask for categories that exist?';

export class AnswerMetrics {
  private readonly counts: Counts = { personal: 0, fallback: 0, empty: 0 };
  /** By arm of the experiment. */
  private readonly arms = new Map<string, number>();
  /** Counts at the end of the last minutes, oldest first; the first is that of the start. */
  private readonly samples: Readonly<Counts>[] = [{ ...this.counts }];
  private sampledAtMs: number;
  private isHigh = { fallback: false, empty: false };
  private problems: readonly string[] = [];

  constructor(
    registry: Registry,
    private readonly monotonicMs: () => number,
  ) {
    this.sampledAtMs = monotonicMs();
    const help =
      'Lists of recommendations given, by what they consist of: personal, fallback (popular items only), empty';
    registerCounter(registry, { name: 'rivulet_answers_total', help, labelNames: ['kind'] }, () =>
      KINDS.map((kind) => ({ labels: { kind }, value: this.counts[kind] })),
    );
    const ofArms = 'Lists of recommendations given to users of each arm of the experiment, name/arm';
    registerCounter(registry, { name: 'rivulet_experiment_answers_total', help: ofArms, labelNames: ['arm'] }, () =>
      [...this.arms].map(([arm, value]) => ({ labels: { arm }, value })),
    );
  }

  count(kind: AnswerKind, arm?: string): void {
    this.counts[kind]++;
    if (arm !== undefined) this.arms.set(arm, (this.arms.get(arm) ?? 0) + 1);
  }

  recent(): RecentAnswers {
    this.sample();
    const before = this.samples[0]!;
    const [personal, fallback, empty] = KINDS.map((kind) => this.counts[kind] - before[kind]) as [
      number,
      number,
      number,
    ];
    return { count: personal + fallback + empty, fallback, empty };
  }

  /** Which share is too high, with what to check, for people. Judged once a minute. */
  warnings(): readonly string[] {
    this.sample();
    return this.problems;
  }

  /** Takes a sample when a minute has passed; of minutes without a reader, one. */
  private sample(): void {
    const nowMs = this.monotonicMs();
    if (nowMs - this.sampledAtMs < MINUTE_MS) return;
    this.sampledAtMs = nowMs;
    this.samples.push({ ...this.counts });
    if (this.samples.length > WINDOW_MINUTES + 1) this.samples.shift();
    const recent = this.recent();
    this.isHigh = {
      fallback: isHigh(recent.fallback, recent.count, FALLBACK_HIGH, this.isHigh.fallback),
      empty: isHigh(recent.empty, recent.count, EMPTY_HIGH, this.isHigh.empty),
    };
    this.problems = [
      ...(this.isHigh.fallback ? [problem(recent.fallback, recent.count, 'are fallback', FALLBACK_HELP)] : []),
      ...(this.isHigh.empty ? [problem(recent.empty, recent.count, 'are empty', EMPTY_HELP)] : []),
    ];
  }
}

const isHigh = (some: number, count: number, threshold: number, wasHigh: boolean): boolean =>
  count >= ANSWERS_MIN && some > count * threshold * (wasHigh ? CALM : 1);

const problem = (some: number, count: number, what: string, help: string): string =>
  `${((100 * some) / count).toFixed(0)} % of the ${count} lists of the last ${WINDOW_MINUTES} minutes ${what}: ${help}`;
