import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { events } from '../../../actors/model.js';
import { epochLog, type EpochLog, type EpochRows } from '../../../actors/state/epoch-log.js';
import { type Frame, frameOf, gather, utf8 } from '../../../runtime/contract/stage.js';
import { rowsOf } from '../../../runtime/frames/frame.js';

const PANE_MS = 10;

interface Event {
  readonly time: number;
  readonly user: string;
  readonly price?: number | undefined;
}

const newLog = (counted = false): EpochLog => epochLog({ paneMs: PANE_MS, counted }).create();
const frame = (...rows: Event[]) =>
  frameOf(
    events,
    rows.map((row) => ({ ...row, item: '1' })),
  );
const texts = (rows: EpochRows | undefined) =>
  rows === undefined
    ? []
    : rowsOf(rows).map((r) => `${r.pane} ${r.user} ${r.price ?? '-'}: ${r.added} [${r.first}, ${r.time}]`);

/** A log that was written to a snapshot and read back. */
function restarted(log: EpochLog, stored: Map<string, Uint8Array>, counted = false): EpochLog {
  for (const { key, value } of log.cut()) {
    if (value === undefined) stored.delete(key);
    else stored.set(key, value.slice());
  }
  log.written();
  const next = newLog(counted);
  next.restore({ get: (key) => stored.get(key), entries: () => [...stored].sort(([a], [b]) => (a < b ? -1 : 1)) });
  return next;
}

describe('the log of an epoch', () => {
  const first = frame({ time: 3, user: 'u' }, { time: 12, user: 'v' }, { time: -1, user: 'u' });
  const second = frame({ time: 9, user: 'u' }, { time: 1, user: 'u' });

  it('gives the events one by one, and begins anew', () => {
    const log = newLog();
    log.add(first);
    log.add(second);
    expect(log.keys).toBe(5);
    const expected = [
      '0 u -: 1 [3, 3]',
      '10 v -: 1 [12, 12]',
      '-10 u -: 1 [-1, -1]',
      '0 u -: 1 [9, 9]',
      '0 u -: 1 [1, 1]',
    ];
    expect(texts(log.take())).toEqual(expected);
    expect(log.take()).toBeUndefined();
    expect(log.keys).toBe(0);
  });

  it('counts by pane and key what a snapshot cuts, and what comes after', () => {
    const stored = new Map<string, Uint8Array>();
    let log = newLog();
    log.add(first);
    log = restarted(log, stored);
    log.add(second);
    const counted = ['0 u -: 3 [1, 9]', '10 v -: 1 [12, 12]', '-10 u -: 1 [-1, -1]'];
    expect(texts(log.take())).toEqual(counted);
    // And its rows are gone from the next snapshot.
    expect(texts(restarted(log, stored).take())).toEqual([]);
    expect(stored.size).toBe(0);
    const always = newLog(true);
    always.add(first);
    always.add(second);
    expect(texts(always.take())).toEqual(counted);
  });

  it('writes each row of a long epoch to one snapshot only', () => {
    const log = newLog();
    for (let i = 0; i < 3; i++) {
      log.add(frame(...Array.from({ length: 1024 }, (_, n): Event => ({ time: 1, user: `${i}-${n}` }))));
      expect([...log.cut()].map(({ key }) => key)).toEqual([`0/${i}`]);
      log.written();
    }
  });

  it('takes −0 for 0, and any NaN for absent', () => {
    const log = newLog(true);
    const odd = frame(
      { time: 1, user: 'u', price: 0 },
      { time: 1, user: 'u', price: -0 },
      { time: 1, user: 'u' },
      { time: 1, user: 'u' },
    );
    new DataView(odd.columns.price.buffer).setBigUint64(3 * 8, 0xfff8000000000001n, true);
    log.add(odd);
    expect(texts(log.take())).toEqual(['0 u 0: 2 [1, 1]', '0 u -: 2 [1, 1]']);
  });

  it('keeps texts though the message that they came in is overwritten', () => {
    const bytes = utf8('u');
    const received = {
      ...first,
      columns: {
        ...first.columns,
        user: { codes: new Uint32Array(3).fill(1), dictionary: { size: 2, bytes, ends: Uint32Array.of(0, 1) } },
      },
    };
    const log = newLog();
    log.add(received);
    bytes.fill(0x78);
    expect(texts(log.take())[0]).toBe('0 u -: 1 [3, 3]');
  });
});

describe('what is taken (EPOCH-LOG-1)', () => {
  const event = fc.record({
    time: fc.integer({ min: 0, max: 30 }),
    user: fc.constantFrom('a', 'b', 'c', 'd'),
    price: fc.constantFrom(undefined, 1),
  });
  /** A frame whose users' dictionary has unused entries, or is in an order of its own. */
  const untidy = fc
    .tuple(fc.array(event, { minLength: 2, maxLength: 6 }), fc.integer({ min: 0, max: 5 }), fc.boolean())
    .map(([rows, dropped, backwards]): Frame<typeof events.columns> => {
      const whole = frame(...rows);
      const kept = [...rows.keys()].slice(0, Math.max(1, rows.length - dropped));
      if (backwards) kept.reverse();
      const part = gather(whole, Uint32Array.from(kept));
      const { codes, dictionary } = whole.columns.user;
      const user = { codes: Uint32Array.from(kept, (row) => codes[row]!), dictionary };
      return { ...part, columns: { ...part.columns, user } };
    });

  it('has the same keys and dictionaries whatever snapshots and restarts there were', () => {
    /** Keys in order of first sight, and all dictionaries. */
    const essence = (rows: EpochRows | undefined) => {
      if (rows === undefined) return [];
      const keys = new Set(rowsOf(rows).map((r) => `${r.pane} ${r.user} ${r.price ?? '-'}`));
      const { user, item, category, brand } = rows.columns;
      const dictionaries = [user, item, category, brand].map(({ dictionary }) => [
        dictionary.size,
        Buffer.from(dictionary.bytes).toString(),
      ]);
      return [[...keys], dictionaries];
    };
    fc.assert(
      fc.property(
        fc.array(untidy, { maxLength: 5 }),
        fc.array(fc.nat({ max: 4 }), { maxLength: 3 }),
        fc.boolean(),
        (frames, cuts, counted) => {
          const straight = newLog(counted);
          let broken = newLog(counted);
          const stored = new Map<string, Uint8Array>();
          frames.forEach((one, at) => {
            straight.add(one);
            broken.add(one);
            if (cuts.includes(at)) broken = restarted(broken, stored, counted);
          });
          expect(essence(broken.take())).toEqual(essence(straight.take()));
        },
      ),
      { seed: 1, numRuns: 300 },
    );
  });
});
