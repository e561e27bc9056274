/** From window rows to lists, one instance each, against the rows of a Spark 3.5.3 run (../shared/parity/expected). */
import { describe, expect, it } from 'vitest';
import { fallback } from '../../actors/fallback.js';
import { interestRanking } from '../../actors/interest-ranking.js';
import { EVENT_TYPES, type EventType, RECOMMENDATION_TYPES } from '../../actors/model.js';
import { popularityJoin } from '../../actors/popularity-join.js';
import { popularity } from '../../actors/popularity.js';
import { type Csv, eventTimeIn, noParity, readCsv, readEpochs } from '../support/parity-files.js';
import { referenceModel, type ReferenceEvent, type ReferenceWindowRow } from '../support/reference-model.js';
import { StageDriver } from '../support/stage-driver.js';
import { skipped } from '../support/requirements.js';

const textOrNone = (text: string): string | undefined => (text === '' ? undefined : text);
const numberOrNone = (text: string): number | undefined => (text === '' ? undefined : Number(text));

function readEvent(row: Csv): ReferenceEvent {
  const [category, brand, price] = [
    textOrNone(row['category_code']!),
    textOrNone(row['brand']!),
    numberOrNone(row['price']!),
  ];
  return {
    time: eventTimeIn(row),
    type: row['event_type']!,
    user: row['user_id']!,
    item: row['product_id']!,
    ...(category === undefined ? {} : { category }),
    ...(brand === undefined ? {} : { brand }),
    ...(price === undefined ? {} : { price }),
  };
}

/** An oracle's row as a row of a window frame. The order of an epoch's rows must not matter: they come in reverse. */
const windowRow = (row: ReferenceWindowRow) => ({
  ...row,
  type: EVENT_TYPES.indexOf(row.type as EventType),
  added: row.count,
  time: row.windowStart,
});

function run(framesRows: number) {
  const epochs = readEpochs(readEvent);
  const table = readCsv('popularity.csv').map((row) => ({
    item: row['product_id'],
    purchases: Number(row['total_purchases']),
    category: textOrNone(row['main_category_code']!),
    brand: textOrNone(row['main_brand']!),
    price: numberOrNone(row['avg_price']!),
  }));
  const stages = {
    ranking: new StageDriver(interestRanking({ scope: { kind: 'epoch' } })),
    popularity: new StageDriver(popularity({ from: 'table', aligned: true })),
    join: new StageDriver(popularityJoin()),
    fallback: new StageDriver(fallback()),
  };
  const inFrames = (rows: readonly object[]): (readonly object[])[] =>
    Array.from({ length: Math.ceil(rows.length / framesRows) }, (_, i) =>
      rows.slice(i * framesRows, (i + 1) * framesRows),
    );

  for (const rows of inFrames(table)) stages.popularity.feed('table', rows);
  const recommendations: string[] = [];
  const interactions: string[] = [];
  referenceModel(epochs).windowRows.forEach(({ update }, epoch) => {
    for (const { frame } of stages.popularity.endEpoch().frames) {
      stages.join.feed('lists', frame);
      stages.fallback.feed('lists', frame);
    }
    for (const rows of inFrames(update.map(windowRow).reverse())) stages.ranking.feed('rows', rows);
    const ranking = stages.ranking.endEpoch();
    for (const r of ranking.rows['interactions']!) {
      interactions.push([epoch, r['user'], r['item'], r['count'], r['views'], r['carts'], r['purchases']].join(','));
    }
    const interests = ranking.frames.filter(({ output }) => output === 'interests');
    const joined = interests.flatMap(({ frame }) => stages.join.feed('interests', frame).frames);
    for (const r of joined.flatMap(({ frame }) => stages.fallback.feed('ranked', frame).rows['rows']!)) {
      const type = RECOMMENDATION_TYPES[r['kind'] as number];
      recommendations.push([epoch, r['user'], r['item'], r['score'], r['category'] ?? '', r['rank'], type].join(','));
    }
  });
  return { recommendations: recommendations.sort(), interactions: interactions.sort() };
}

describe.skipIf(noParity)(`parity with Spark 3.5.3 (../shared/parity)${skipped(noParity)}`, () => {
  const expectedRows = (file: string, numbers: readonly string[]): string[] =>
    readCsv(`expected/${file}`)
      .map((row) =>
        Object.entries(row)
          .map(([name, value]) => (numbers.includes(name) ? Number(value) : value))
          .join(','),
      )
      .sort();

  it.each([100_000, 700])('in frames of at most %i rows', (framesRows) => {
    const { recommendations, interactions } = run(framesRows);
    const expected = expectedRows('recommendations.csv', ['rec_score']);
    expect(expected).toHaveLength(60_676);
    expect(expected.filter((row) => row.endsWith('fallback'))).not.toEqual([]);
    expect(recommendations).toEqual(expected);
    expect(interactions).toEqual(expectedRows('user_interactions.csv', []));
  });
});
