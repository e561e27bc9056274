/**
 * watermark and window, one instance each, one file an epoch, over real shop events: late rows as in the record of a Spark 3.5.3 run
 * (../shared/parity/expected), window rows as the reference model has them.
 */
import { describe, expect, it } from 'vitest';
import { EVENT_TYPES, type EventType, parsedEvents } from '../../actors/model.js';
import { watermark } from '../../actors/watermark.js';
import { window } from '../../actors/window.js';
import { type Columns, type Frame, frameOf, type Row } from '../../runtime/contract/stage.js';
import { type Csv, eventTimeIn, noParity, readCsv, readEpochs } from '../support/parity-files.js';
import { referenceModel, type ReferenceEvent } from '../support/reference-model.js';
import { StageDriver } from '../support/stage-driver.js';
import { skipped } from '../support/requirements.js';

const FRAME_ROWS = 1_000;

const readEvent = (row: Csv) => ({
  time: eventTimeIn(row),
  type: EVENT_TYPES.indexOf(row['event_type'] as EventType),
  user: row['user_id'],
  item: row['product_id'],
  category: row['category_code'],
  brand: row['brand'],
  price: row['price'] === '' ? undefined : Number(row['price']),
});
type Event = ReturnType<typeof readEvent>;

/** Feeds files, ends an epoch with each, and lets the window stage know W as the runtime does: at the start of the next. */
function run(files: readonly (readonly Event[])[]) {
  const source = new StageDriver(watermark({ trigger: { kind: 'file' }, purchases: true }));
  const windows = new StageDriver(window());
  const rows: Row<Columns>[][] = [];
  const late: Row<Columns>[][] = [];
  let watermarkMs = -Infinity;
  for (const file of files) {
    const lateOfFile: Row<Columns>[] = [];
    for (let start = 0; start < file.length; start += FRAME_ROWS) {
      const { frames } = source.feed('events', frameOf(parsedEvents, file.slice(start, start + FRAME_ROWS)));
      const passed = frames.find(({ output }) => output === 'rows')!.frame as Frame;
      lateOfFile.push(...(windows.feed('events', passed).rows['late'] ?? []));
    }
    const { progress } = source.endEpoch();
    rows.push([...(windows.endEpoch(watermarkMs).rows['rows'] ?? [])]);
    late.push(lateOfFile);
    watermarkMs = progress[0]!.watermarkMs!;
  }
  return { rows, late, counts: windows.counts() };
}

const keyOf = (row: object): string => {
  const { windowStart, user, item, type, category, brand, price, count } = row as Row<Columns>;
  return [windowStart, user, item, type, category ?? '', brand ?? '', price ?? '', count].join(' ');
};
const lateKeyOf = (epoch: number, { time, type, user, item, category, brand, price }: Row<Columns>): string =>
  [epoch, time, type, user, item, category ?? '', brand ?? '', price ?? ''].join(' ');

describe.skipIf(noParity)(`parity with Spark 3.5.3 (../shared/parity)${skipped(noParity)}`, () => {
  const files = noParity === undefined ? readEpochs(readEvent) : [];
  const { rows, late, counts } = run(files);

  it('late.csv, and every event is on time or late', () => {
    const expected = readCsv('expected/late.csv').map((row) => lateKeyOf(Number(row['epoch']), readEvent(row)));
    expect(expected).toHaveLength(202);
    expect(late.flatMap((ofEpoch, epoch) => ofEpoch.map((row) => lateKeyOf(epoch, row))).sort()).toEqual(
      expected.sort(),
    );
    expect(counts).toMatchObject({ on_time: files.flat().length - 202, late: 202 });
  });

  it('window rows of every epoch', () => {
    const named = files.map((file) => file.map((e) => ({ ...e, type: EVENT_TYPES[e.type]! }) as ReferenceEvent));
    const expected = referenceModel(named).windowRows.map(({ update }) =>
      update.map((row) => keyOf({ ...row, type: EVENT_TYPES.indexOf(row.type as EventType) })).sort(),
    );
    expect(rows.map((ofEpoch) => ofEpoch.map(keyOf).sort())).toEqual(expected);
  });
});
