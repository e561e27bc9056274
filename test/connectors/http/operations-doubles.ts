/** Ports of operations that have one of each. */
import type { LateEvent, Operations } from '../../../connectors/http/operations-ports.js';
import type { StatusReport } from '../../../connectors/http/routes/status-report.js';
import { poison } from '../../../runtime/contract/errors.js';
import type { DeadLetter } from '../../../runtime/dead-letters/record.js';

const AT_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const AT = new Date(AT_MS).toISOString();

export const LETTER: DeadLetter = {
  ...{ id: '7-0', stage: 'parse', rule: 'price', field: 'price', reason: 'price is -1, must be from 0' },
  original: Buffer.from('{"user_id":"512","item_id":"i1","price":-1}'),
  originalBytes: 43,
  ...{ subject: 'rivulet.events.view.512', sequence: 12, file: undefined, line: undefined, index: 0 },
  ...{ storedAtMs: AT_MS, retriedAtMs: undefined },
};

export const LATE: LateEvent = {
  ...{ id: '3-0', eventTimeMs: AT_MS, userId: '512', itemId: 'i1', eventType: 'view', category: 'electronics.audio' },
  ...{ brand: undefined, price: 9.5, window: { startMs: AT_MS, endMs: AT_MS + 300_000 }, storedAtMs: AT_MS },
};

export const STATUS: StatusReport = {
  ...{
    version: '1.2.3',
    subject: 'items',
    node: 'node-a',
    now: AT,
    started_at: AT,
    serving: true,
    reasons: [],
    as_of: AT,
    partitions: 4,
  },
  edges: [{ from: 'events', to: 'parse' }],
  chains: [],
  stages: [
    {
      stage: 'parse',
      partitions: [
        {
          ...{ partition: 0, state: 'running', messages_in: 10, rows_out: 9, busy_seconds: 0.5, restarts: 0 },
          ...{ state_keys: 3, snapshots: 1, snapshot_seconds: 0.01, snapshot_bytes: 512 },
        },
      ],
    },
  ],
  supervision: [
    { ...{ level: 'server', name: 'nats-server', state: 'running', since: AT, restarts: 0 }, shards: [] },
    {
      ...{ level: 'thread', name: 'pipeline-0', state: 'running', since: AT, restarts: 1, last_error: 'it ended' },
      shards: [
        {
          ...{ name: 'source-0', state: 'running', restarts: 0 },
          instances: [{ name: 'parse.0', state: 'running', restarts: 0 }],
        },
      ],
    },
  ],
  counters: { events: 10, on_time: 8, late: 1, dead_letter: 1, duplicates: 0 },
  latency: { p50_seconds: 0.02, p99_seconds: 0.08, count: 8 },
  requests: { http_total: 3, grpc_total: 1 },
  answers: { count: 3, fallback: 1, empty: 0 },
};

/** `7-0` is there, `7-1` was sent again already; there is no other dead letter. */
export const OPERATIONS: Operations = {
  deadLetters: {
    page: async ({ before }) => {
      if (before === 'broken')
        throw poison('BROWSABLE_LOG_CURSOR', 'is no cursor: send the next_cursor of the page before');
      return { records: [LETTER], next: before === undefined ? '7-0' : undefined };
    },
    find: async (id) => found(id),
    retry: async (id, _, { again }) => {
      const { subject, retriedAtMs } = found(id);
      if (retriedAtMs !== undefined && !again) throw poison('DEAD_LETTER_RETRIED', `${id} was sent again`);
      return { id, subject };
    },
  },
  lateEvents: { page: async () => ({ events: [LATE], next: undefined }) },
  status: { report: () => STATUS },
};

function found(id: string): DeadLetter {
  if (id === '7-0') return LETTER;
  if (id === '7-1') return { ...LETTER, id, retriedAtMs: AT_MS };
  throw poison('DEAD_LETTER_UNKNOWN', `there is no dead letter ${JSON.stringify(id)}`);
}
