/** The topology driver, on toy stages: whole graphs by hand. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameOf } from '../../../runtime/frames/frame.js';
import { seededRandom } from '../../../actors/maths/random.js';
import { type PlainRow, TopologyDriver } from '../../support/topology-driver.js';
import { groupedBy } from '../actor/grouped.js';
import { boundedToys, liveToys, weights } from '../toy-stages.js';

describe('publishers’ messages', () => {
  it('run through the whole graph, by hand', () => {
    const driver = new TopologyDriver(liveToys());
    driver.publish({ user: 'u1', data: '1 u1 u1.a 2' }, { user: 'u1', data: '2 u1 u1.b 3' });
    driver.publish({ user: 'u2', data: '3 u2 u2.a 5' }, { user: 'u1', data: '1 u1 u1.a 2' });
    driver.publish({ user: 'u1', data: '4 u1 u1.a 1' }, { data: 'no number at all' });
    expect(driver.rows('totals')).toEqual([
      { item: 'u1.a', sum: 2, total: 2, times: 1 },
      { item: 'u1.b', sum: 5, total: 3, times: 1 },
      { item: 'u2.a', sum: 5, total: 5, times: 1 },
      { item: 'u1.a', sum: 6, total: 3, times: 2 },
    ]);
    expect(driver.rows('dead-letter')).toMatchObject([{ original: 'no number at all', rule: 'number', stage: 'read' }]);
    expect(driver.counts('read')).toEqual({ events: 6, on_time: 4, late: 0, dead_letter: 1, duplicates: 1 });
  });

  it('say of each item the same in whatever order the mailboxes go, and wherever an instance crashes', () => {
    const lines = Array.from({ length: 30 }, (_, i) => `${i} u${i % 5} u${i % 5}.${i % 3} ${i}`);
    const feed = (driver: TopologyDriver) => {
      driver.together(() => {
        for (const data of lines) driver.publish({ user: data.split(' ')[1]!, data });
      });
      return byItem(driver);
    };
    const expected = feed(new TopologyDriver(liveToys()));
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = seededRandom(seed);
        const instances = ['read', 'sum', 'rank'].flatMap((id) => [0, 1].map((p) => [id, p] as const));
        const driver: TopologyDriver = new TopologyDriver(liveToys(), (n) => {
          const [id, p] = instances[Math.floor(random() * instances.length)]!;
          if (random() < 0.1) driver.snapshot(id, p);
          return Math.floor(random() * n);
        });
        expect(feed(driver)).toEqual(expected);
        for (const [id, p] of instances) driver.crash(id, p);
        expect(byItem(driver)).toEqual(expected);
        driver.publish({ user: 'u1', data: 'more u1 u1.0 1' });
        expect(driver.counts('read').events).toBe(31);
      }),
      { numRuns: 50 },
    );
  });
});

const byItem = (driver: TopologyDriver) => groupedBy(driver.rows('totals'), ({ item }) => String(item));

describe('bounded input', () => {
  const table = frameOf(weights, [
    { item: 'a!', weight: 10 },
    { item: 'b!', weight: 100 },
  ]);

  function run(driver: TopologyDriver): TopologyDriver {
    driver.together(() => {
      driver.chunk('split', 'folder', { data: 'a x 1\nb x 2\na x 3', endsEpoch: false });
      driver.chunk('split', 'folder', { data: 'b x 4', endsEpoch: true });
      driver.chunk('split', 'folder', { data: 'a x 1', endsEpoch: true, endsInput: true });
      driver.table('weigh', 'table', 'item', table);
    });
    return driver;
  }

  it('runs by epochs, the side input first, by hand', () => {
    const driver = run(new TopologyDriver(boundedToys()));
    const said: (PlainRow & { epoch: number })[] = driver
      .messages('results')
      .flatMap(({ rows, envelope }) => rows.map((row) => ({ ...row, epoch: envelope.epoch })));
    expect(said.sort((a, b) => a.epoch - b.epoch || (String(a.user) < String(b.user) ? -1 : 1))).toEqual([
      { user: 'a', n: 4, epochs: 1, weighted: 40, epoch: 0 },
      { user: 'b', n: 6, epochs: 1, weighted: 600, epoch: 0 },
      { user: 'a', n: 1, epochs: 2, weighted: 50, epoch: 1 },
    ]);
    const ends = driver.messages('results').filter(({ envelope }) => envelope.endsEpoch || envelope.endsInput);
    for (const q of [0, 1]) {
      const own = ends.filter(({ subject }) => subject === `rivulet.results.${q}.join.${q}`);
      expect(own.map(({ envelope }) => envelope.endsEpoch)).toEqual([true, true, false]);
      expect(own.map(({ envelope }) => envelope.endsInput)).toEqual([false, false, true]);
    }
  });

  it('does not depend on the interleaving: every message is the same', () => {
    const bySubject = (driver: TopologyDriver) => {
      const messages = driver
        .messages('results')
        .map(({ subject, rows, envelope: { epoch, endsEpoch, endsInput } }) => ({
          ...{ subject, rows, epoch, endsEpoch, endsInput },
        }));
      return groupedBy(messages, ({ subject }) => subject);
    };
    const expected = bySubject(run(new TopologyDriver(boundedToys())));
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const random = seededRandom(seed);
        const driver = new TopologyDriver(boundedToys(), (n) => Math.floor(random() * n));
        expect(bySubject(run(driver))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });
});

it('knows its instances', () => {
  const driver = new TopologyDriver(liveToys());
  expect(() => driver.processor('sum', 2)).toThrow('the topology has no instance sum/2');
  driver.tick(5_000);
  expect(driver.processor('sum', 1).buffer.count).toBe(0);
});
