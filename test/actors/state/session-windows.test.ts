import { describe, expect, it } from 'vitest';
import { instant } from '../../../actors/maths/instant.js';
import { events } from '../../../actors/model.js';
import { epochLog } from '../../../actors/state/epoch-log.js';
import { sessionTables, SessionWindowRows } from '../../../actors/state/session-windows.js';
import { WindowOutput } from '../../../actors/state/window-output.js';
import { frameOf, value } from '../../../runtime/contract/stage.js';
import { rowsOf } from '../../../runtime/frames/frame.js';

const GAP_MS = 10;

function newSessions() {
  const cells = { sessions: sessionTables().create(), earliestEnd: value(() => Infinity, instant).create() };
  const open = new SessionWindowRows(cells, { kind: 'session', paneMs: GAP_MS, latenessMs: 0 });
  /** Adds an epoch of `user time` texts; gives the changed sessions. */
  const add = (...seen: string[]): string[] => {
    const log = epochLog({ paneMs: GAP_MS, counted: true }).create();
    const rows = seen.map((text) => ({ user: text.split(' ')[0]!, time: Number(text.split(' ')[1]) }));
    log.add(frameOf(events, rows));
    const epoch = log.take()!;
    const changed = new WindowOutput(epoch);
    open.add(epoch, -Infinity, changed);
    return texts(changed.frame());
  };
  return { cells, open, add };
}

const texts = (frame: ReturnType<SessionWindowRows['rows']>): string[] =>
  rowsOf(frame).map((r) => `${r.windowStart}-${r.windowEnd} ${r.user}×${r.count}+${r.added}`);

describe('open sessions', () => {
  it('are joined by an event that bridges them, whichever came first', () => {
    const { add } = newSessions();
    expect(add('u 0', 'u 30', 'u 16')).toEqual(['0-10 u×1+1', '16-26 u×1+1', '30-40 u×1+1']);
    expect(add('u 8')).toEqual(['0-26 u×3+1']);
    expect(add('u 24')).toEqual(['0-40 u×5+1']);
  });

  it('use the row of a session that is gone for the next of the key', () => {
    const { cells, open, add } = newSessions();
    add('u 0', 'u 20', 'u 40', 'v 0');
    expect(cells.sessions.keys).toBe(4);
    add('u 8', 'u 14');
    open.close(30);
    add('u 60', 'u 80');
    expect(cells.sessions.keys).toBe(4);
    expect(texts(open.rows(Infinity))).toEqual(['40-50 u×1+0', '60-70 u×1+0', '80-90 u×1+0']);
  });

  it('do not have a row looked at while even the earliest stays open', () => {
    const { cells, open, add } = newSessions();
    add('u 0', 'v 5');
    expect(cells.earliestEnd.get()).toBe(10);
    cells.sessions.table = () => expect.fail('looked at the table');
    open.close(9);
    expect(() => {
      open.close(10);
    }).toThrow('looked at the table');
  });

  it('know the earliest end after a session that had it has grown or closed', () => {
    const { cells, open, add } = newSessions();
    add('u 0', 'v 5');
    add('u 9');
    open.close(10);
    expect(cells.earliestEnd.get()).toBe(15);
    open.close(19);
    expect(cells.earliestEnd.get()).toBe(Infinity);
  });

  it('move to a new table when most rows are of sessions that are gone', () => {
    const { cells, open, add } = newSessions();
    const users = Array.from({ length: 1_500 }, (_, n) => `user-${n}`);
    add(...users.map((user, n) => `${user} ${n < 1_000 ? 0 : 100}`), 'user-1000 200', 'user-1000 300');
    open.close(50);
    expect(cells.sessions.numbers()).toEqual([1]);
    expect(cells.sessions.keys).toBe(502);
    const rows = texts(open.rows(Infinity));
    expect(rows).toHaveLength(502);
    expect(rows.slice(0, 2)).toEqual(['100-110 user-1000×1+0', '100-110 user-1001×1+0']);
    expect(rows.slice(-2)).toEqual(['200-210 user-1000×1+0', '300-310 user-1000×1+0']);
    // What has moved goes on as before.
    expect(add('user-1000 205', 'user-1499 105', 'user-0 400')).toEqual([
      '100-115 user-1499×2+1',
      '200-215 user-1000×2+1',
      '400-410 user-0×1+1',
    ]);
  });
});
