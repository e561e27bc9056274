import { Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { type AnswerKind, AnswerMetrics } from '../../../runtime/telemetry/answer-metrics.js';

const MINUTE_MS = 60_000;

function atWork() {
  const registry = new Registry();
  let nowMs = 5_000;
  const metrics = new AnswerMetrics(registry, () => nowMs);
  const give = (counts: Partial<Record<AnswerKind, number>>): void => {
    for (const [kind, count] of Object.entries(counts))
      for (let i = 0; i < count; i++) metrics.count(kind as AnswerKind);
  };
  /** A minute with these answers; the share is read in each, as by a node. */
  const minute = (counts: Partial<Record<AnswerKind, number>>): readonly string[] => {
    give(counts);
    nowMs += MINUTE_MS;
    return metrics.warnings();
  };
  return { registry, metrics, give, minute };
}

it('lists are counted by kind since the start, and none is left out before the first', async () => {
  const { registry, give } = atWork();
  const lines = async () => (await registry.metrics()).match(/^rivulet_answers_total\{.*$/gm);
  expect(await lines()).toEqual(
    ['personal', 'fallback', 'empty'].map((kind) => `rivulet_answers_total{kind="${kind}"} 0`),
  );
  give({ personal: 3, fallback: 1 });
  expect(await lines()).toEqual([
    'rivulet_answers_total{kind="personal"} 3',
    'rivulet_answers_total{kind="fallback"} 1',
    'rivulet_answers_total{kind="empty"} 0',
  ]);
});

it('shares are of the last five minutes', () => {
  const { metrics, minute, give } = atWork();
  minute({ personal: 6, fallback: 2, empty: 1 });
  expect(metrics.recent()).toEqual({ count: 9, fallback: 2, empty: 1 });
  for (let i = 0; i < 5; i++) minute({ personal: 1 });
  expect(metrics.recent()).toEqual({ count: 5, fallback: 0, empty: 0 });
  give({ empty: 1 });
  expect(metrics.recent()).toEqual({ count: 6, fallback: 0, empty: 1 });
});

it('a high share is a warning with its figures and what to check', () => {
  const { minute } = atWork();
  expect(minute({ personal: 500, fallback: 500 })).toEqual([]);
  expect(minute({ fallback: 200 })).toEqual([
    expect.stringMatching(/^58 % of the 1200 lists of the last 5 minutes are fallback: .*user ids.*category/),
  ]);
  const both = minute({ fallback: 700, empty: 100 });
  expect(both).toEqual([
    expect.stringMatching(/^70 % of the 2000 .* fallback/),
    expect.stringMatching(/^5 % of the 2000 .* empty: /),
  ]);
});

it('a node that is hardly asked warns of nothing', () => {
  const { minute } = atWork();
  expect(minute({ empty: 99 })).toEqual([]);
  expect(minute({ empty: 1 })).toHaveLength(1);
});

it('a share that goes up and down at its threshold is one warning', () => {
  const { minute } = atWork();
  const seen = [52, 48, 53, 47, 45, 40, 10, 10, 10, 10, 10, 10].map(
    (percent) => minute({ fallback: percent * 10, personal: (100 - percent) * 10 }).length,
  );
  expect(seen).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0]);
});

it('time without anybody who reads counts as well', () => {
  const { metrics, minute } = atWork();
  minute({ empty: 500 });
  for (let i = 0; i < 6; i++) minute({});
  expect([metrics.recent(), metrics.warnings()]).toEqual([{ count: 0, fallback: 0, empty: 0 }, []]);
});
