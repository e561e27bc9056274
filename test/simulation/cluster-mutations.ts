/** Rules of nodes that share shards (D, U, Y, SNAPSHOTTER-3), broken on purpose: the simulation of clusters must find every one of them. */
import { textOf, utf8 } from '../../runtime/frames/bytes.js';
import { Outbox } from '../../runtime/actor/outbox.js';
import type { KeyValue, Log } from '../../runtime/contract/ports.js';
import { Snapshotter } from '../../runtime/actor/snapshotter.js';
import { Gaps } from '../../runtime/log-integrity/gaps.js';
import { FITS } from '../../runtime/log-integrity/verdict.js';
import type { ClusterOptions } from './cluster-world.js';
import { NO_CLUSTER_FAULTS } from './cluster-faults.js';
import { changed, replaced } from './mutations.js';

export interface ClusterMutation {
  readonly rule: string;
  readonly what: string;
  /** Of the world in which it shows, broken or not. */
  readonly options?: Pick<ClusterOptions, 'faults'>;
  /** Breaks, by what is put between a node and the log, its disks or the tables. */
  readonly wraps?: Pick<ClusterOptions, 'wrapLog' | 'wrapStore' | 'wrapTable'>;
  /** Breaks as well; gives what mends it. */
  readonly breaks?: () => () => void;
}

const withoutCompare =
  (which: string) =>
  (table: KeyValue, name: string): KeyValue =>
    name === which ? changed(table, { put: (key, value) => table.put(key, value) }) : table;

const withoutFence = (log: Log): Log => changed(log, { publish: (subject, data) => log.publish(subject, data) });

const isHead = (key: string): boolean => key.endsWith('/$head');
const isRecord = (key: string): boolean => key.includes('/$changed/');

const OWNERS_OVERLAP = { stop: 0.004, cutOff: 0.004, leave: 0.002, kill: 0.002 };

/** Records of mailboxes without what was trimmed. */
const untold = (log: Log): Log =>
  changed(log, {
    last: async (stream, subject) => {
      const last = await log.last(stream, subject);
      if (last === undefined || !subject.startsWith('rivulet.quarantine.')) return last;
      return { ...last, data: utf8(JSON.stringify({ ...(JSON.parse(textOf(last.data)) as object), trimmed: 0 })) };
    },
  });

export const CLUSTER_MUTATIONS: readonly ClusterMutation[] = [
  {
    rule: 'D1, D2',
    what: 'leases without compare-and-set, and no fence',
    wraps: { wrapTable: withoutCompare('leases'), wrapLog: withoutFence },
  },
  { rule: 'Y1', what: 'manifests without compare-and-set', wraps: { wrapTable: withoutCompare('manifests') } },
  {
    rule: 'U2, P3',
    what: 'mailboxes are trimmed further than the copy',
    breaks: () =>
      replaced(
        Snapshotter,
        'droppable',
        () =>
          function (this: { seen: Map<string, number>; written: number }) {
            return [...this.seen].map(([subject, last]) => [subject, Math.min(last, this.written + 1)]);
          },
      ),
  },
  {
    rule: 'Y3',
    what: 'the head of a copy is written before its pieces',
    wraps: {
      wrapStore: (store, pause) =>
        changed(store, {
          write: async (changes) => {
            await store.write(changes.filter(({ key }) => isHead(key)));
            await pause();
            await store.write(changes.filter(({ key }) => !isHead(key)));
          },
        }),
    },
  },
  {
    rule: 'Y1',
    what: 'records of changed keys are dropped before a copy includes them',
    wraps: {
      wrapStore: (store) =>
        changed(store, { write: (changes) => store.write(changes.filter(({ key }) => !isRecord(key))) }),
    },
  },
  {
    rule: 'B4, O5',
    // With one source partition the sequences would tell.
    what: 'nobody hears or sees that a mailbox was trimmed unread',
    // It takes an owner that stands still while another one trims: rare among all faults, so there are more of these.
    options: { faults: { ...NO_CLUSTER_FAULTS, step: { ...NO_CLUSTER_FAULTS.step, ...OWNERS_OVERLAP } } },
    wraps: { wrapLog: untold },
    breaks: () => {
      const mends = [
        replaced(Outbox, 'claim', () => () => Promise.resolve()),
        replaced(Gaps, 'check', () => () => FITS),
      ];
      return () => mends.forEach((mend) => mend());
    },
  },
];
