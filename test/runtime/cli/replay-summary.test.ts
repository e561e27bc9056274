/** What a replay says at its end, or when it is refused. */
import { describe, expect, it } from 'vitest';
import { summarise, workLeft } from '../../../runtime/cli/replay/replay.js';
import { withRestart } from '../../../runtime/cli/replay/command.js';
import { fatal } from '../../../runtime/contract/errors.js';
import { newStatus } from '../../../runtime/telemetry/status.js';

describe('the summary', () => {
  it('names rows that were given up with poison messages, when there are any', () => {
    const [window, parse] = [newStatus('window', 0), newStatus('parse', 0)];
    parse.counters = { events: 10, on_time: 0, late: 0, dead_letter: 1, duplicates: 0 };
    window.counters = { events: 0, on_time: 5, late: 1, dead_letter: 0, duplicates: 0 };
    expect(summarise([parse, window], 2)).not.toHaveProperty('quarantined_rows');
    window.quarantined = { messages: 1, rows: 3 };
    const { events, on_time, late, dead_letter, duplicates, quarantined_rows = 0 } = summarise([parse, window], 2);
    expect(on_time + late + dead_letter + duplicates + quarantined_rows).toBe(events);
  });
});

describe('what is left when all files are read', () => {
  it('names the stages that compute with what waits for them, then says that the results are written', () => {
    const [window, ...trending] = [newStatus('window', 0), newStatus('trending', 0), newStatus('trending', 1)];
    expect(workLeft([window, ...trending])).toBe('computing: window, trending');
    for (const one of trending) one.lagMessages = 600;
    expect(workLeft([window, ...trending])).toBe('computing: window, trending 1,200 messages left');
    window.finished = true;
    expect(workLeft([window, ...trending])).toBe('computing: trending 1,200 messages left');
    for (const one of trending) one.finished = true;
    expect(workLeft([window, ...trending])).toBe('writing the results');
  });
});

describe('a refusal', () => {
  it.each(['LOG_GAP', 'LOG_BEHIND', 'STATE_DAMAGED', 'STATE_OPEN', 'STATE_WRITE'] as const)(
    '%s names --restart',
    (code) => {
      const error = fatal(code, 'why', { hint: 'check free space', cause: new Error('cause') });
      expect(withRestart(error)).toMatchObject({ code, message: 'why', hint: expect.stringContaining('--restart') });
    },
  );

  it('of a full disk says first what there is to do, and that nothing need be done anew', () => {
    const { hint } = withRestart(fatal('STATE_WRITE', 'why', { hint: 'check free space' })) as { hint: string };
    expect(hint).toMatch(/^check free space; the same command then goes on from here/);
  });

  it('of another kind stays as it is', () => {
    const error = fatal('NATS_CONNECT', 'why');
    expect(withRestart(error)).toBe(error);
  });
});
