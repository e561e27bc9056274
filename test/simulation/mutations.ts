/**
 * Each rule of design.md §3 broken on purpose, by what is put between an instance and the log or its disk, or by a method that is replaced. The
 * simulation must find every one of them.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Envelope, EnvelopeSchema, SnapshotHeadSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { Actor } from '../../runtime/actor/actor.js';
import { InputDigest } from '../../runtime/actor/input-digest.js';
import { MailboxProcessor } from '../../runtime/actor/processor.js';
import { Predecessors } from '../../runtime/log-integrity/predecessors.js';
import { FITS } from '../../runtime/log-integrity/verdict.js';
import { StageInstance } from '../../runtime/actor/instance.js';
import { type Outbox, OutputLane } from '../../runtime/actor/outbox.js';
import { Snapshotter } from '../../runtime/actor/snapshotter.js';
import type { Log, LogMessage, Store, StoreChange } from '../../runtime/contract/ports.js';
import type { WorldOptions } from './world.js';

export interface Mutation {
  /** Of design.md §3. */
  readonly rule: number;
  readonly what: string;
  readonly job: string;
  /** Of the world in which it shows, broken or not. */
  readonly options?: Pick<WorldOptions, 'lie'>;
  /** Breaks, by what is put between an instance and the log, its disk or its copy. */
  readonly wraps?: Pick<WorldOptions, 'wrapLog' | 'wrapStore' | 'wrapCopied'>;
  /** Breaks as well; gives what mends it. */
  readonly breaks?: () => () => void;
}

type Methods = Record<string, (...parameters: never[]) => unknown>;

/** Replaces a method, private or not; gives what puts it back. */
export function replaced<M>(
  type: { readonly prototype: object },
  name: string,
  make: (original: M) => unknown,
): () => void {
  const methods = type.prototype as Methods;
  const original = methods[name];
  if (original === undefined) throw new Error(`no method ${name} to replace`);
  methods[name] = make(original as M) as Methods[string];
  return () => {
    methods[name] = original;
  };
}

export const changed = <T extends object>(inner: T, change: Partial<T>): T =>
  Object.assign(Object.create(inner) as T, change);

/** Every so often. */
function nowAndThen(every: number): () => boolean {
  let times = 0;
  return () => ++times % every === 0;
}

const onLast =
  (change: (envelope: Envelope) => Partial<Envelope>) =>
  (log: Log): Log =>
    changed(log, {
      last: async (stream, subject) => {
        const message = await log.last(stream, subject);
        // Records and publishers' messages are no envelopes.
        if (message?.expected === undefined || message.subject.startsWith('rivulet.quarantine.')) return message;
        const envelope = fromBinary(EnvelopeSchema, message.data);
        const data = toBinary(EnvelopeSchema, create(EnvelopeSchema, { ...envelope, ...change(envelope) }));
        return { ...message, data };
      },
    });

const readingFrom =
  (shift: number) =>
  (log: Log): Log =>
    changed(log, {
      read: (stream, { filters, from }) =>
        log.read(stream, { filters, from: from > 1 ? Math.max(1, from + shift) : from }),
    });

/** State of the second stage of the chain that begins with `window`. */
const isOfSecond = ({ key }: StoreChange): boolean => /^window\/\d+\/interest-ranking\./.test(key);

const isHead = ({ key }: StoreChange): boolean => key.endsWith('/$head');

const torn =
  (first: (change: StoreChange) => boolean) =>
  (store: Store, pause: () => Promise<void>): Store =>
    changed(store, {
      write: async (changes) => {
        await store.write(changes.filter(first));
        await pause();
        await store.write(changes.filter((change) => !first(change)));
      },
    });

const without =
  (what: 'published' | 'lastRead') =>
  (value: Uint8Array | undefined, key: string): Uint8Array | undefined => {
    if (value === undefined || !isHead({ key, value })) return value;
    const head = { ...fromBinary(SnapshotHeadSchema, value), [what]: {} };
    return toBinary(SnapshotHeadSchema, create(SnapshotHeadSchema, head));
  };
const withoutSaid = without('published');
const withoutHeard = without('lastRead');

interface AnyLine {
  sequence: number;
  readonly options: { readonly log: Log; readonly stream: string; readonly subject: string };
}

/** An unknown outcome is not looked up, but taken to be one of the two. */
const guessing = (isThere: boolean) => () =>
  replaced<(letter: unknown, code: string) => Promise<boolean>>(
    OutputLane,
    'wasPublished',
    (original) =>
      async function (this: AnyLine, letter: unknown, code: string): Promise<boolean> {
        if (code !== 'LOG_UNKNOWN') return original.call(this as never, letter, code);
        const { log, stream, subject } = this.options;
        this.sequence = (await log.last(stream, subject).catch(() => undefined))?.sequence ?? this.sequence;
        return isThere;
      },
  );

const MAILBOX: readonly Mutation[] = [
  {
    ...{ rule: 1, what: 'a stage reads a clock beside its mailbox', job: 'live' },
    breaks: () => {
      let clock = 0;
      return replaced<(timeMs: number) => unknown>(
        StageInstance,
        'tick',
        (original) =>
          function (this: never, timeMs: number) {
            return original.call(this, timeMs + ++clock);
          },
      );
    },
  },
  {
    ...{ rule: 1, what: 'an input is skipped now and then', job: 'toy-live' },
    breaks: () => {
      const skips = nowAndThen(60);
      return replaced<(message: LogMessage) => unknown>(
        MailboxProcessor,
        'take',
        (original) =>
          function (this: never, message: LogMessage) {
            const data = skips() ? toBinary(EnvelopeSchema, create(EnvelopeSchema)) : message.data;
            return original.call(this, { ...message, data });
          },
      );
    },
  },
  {
    ...{ rule: 2, what: 'two instances write to one subject', job: 'toy-live' },
    wraps: {
      wrapLog: (log) => {
        const shared = (subject: string): string => subject.replace(/(\.read)\.\d$/, '$1.0');
        return changed(log, {
          publish: (subject, data, options) => log.publish(shared(subject), data, options),
          last: (stream, subject) => log.last(stream, shared(subject)),
        });
      },
    },
  },
  {
    ...{ rule: 3, what: 'the order of a batch is not that of the stream', job: 'toy-live' },
    breaks: () =>
      replaced<(messages: readonly LogMessage[]) => unknown>(
        MailboxProcessor,
        'takeRaw',
        (original) =>
          function (this: never, messages: readonly LogMessage[]) {
            return original.call(this, messages.length > 3 ? [...messages].reverse() : messages);
          },
      ),
  },
  {
    ...{ rule: 3, what: 'a batch is not cut where an earlier incarnation cut it', job: 'toy-live' },
    breaks: () =>
      replaced(
        Actor,
        'batchEnd',
        () =>
          function (this: { processor: MailboxProcessor }, messages: readonly LogMessage[], at: number): number {
            let end = at + 1;
            while (end < messages.length && this.processor.isRaw(messages[end]!)) end++;
            return end;
          },
      ),
  },
  {
    ...{ rule: 4, what: 'takes in S again', job: 'toy-live' },
    breaks: () => replaced<unknown>(Actor, 'behindSnapshot', () => (messages: unknown) => messages),
  },
  { rule: 4, what: 'reads from S + 2', job: 'toy-live', wraps: { wrapLog: readingFrom(2) } },
  {
    ...{ rule: 4, what: 'each subject’s last message is trimmed as well', job: 'toy-bounded' },
    wraps: {
      wrapLog: (log) => changed(log, { purge: (stream, subject, below) => log.purge(stream, subject, below + 1) }),
    },
  },
  {
    ...{ rule: 4, what: 'mailboxes are trimmed further than the copy of the snapshot', job: 'toy-live' },
    wraps: { wrapCopied: () => () => Infinity },
  },
];

const OUTPUTS: readonly Mutation[] = [
  {
    ...{ rule: 5, what: 'what was said is forgotten', job: 'toy-live' },
    wraps: { wrapLog: onLast(() => ({ first: 0, sequence: 0, part: 0, lastPart: true })) },
  },
  {
    ...{ rule: 5, what: 'the answer behind the last one passes as said', job: 'toy-bounded' },
    wraps: { wrapLog: onLast(({ sequence }) => ({ first: sequence + 1, sequence: sequence + 1 })) },
  },
  {
    ...{ rule: 6, what: 'publishes are not fenced', job: 'toy-live' },
    wraps: { wrapLog: (log) => changed(log, { publish: (subject, data) => log.publish(subject, data) }) },
  },
  { rule: 6, what: 'an unknown outcome is taken for said', job: 'toy-bounded', breaks: guessing(true) },
  { rule: 6, what: 'an unknown outcome is taken for not said', job: 'toy-live', breaks: guessing(false) },
];

const SNAPSHOTS: readonly Mutation[] = [
  {
    ...{ rule: 7, what: 'a snapshot does not wait for the acks', job: 'toy-live' },
    breaks: () =>
      replaced<() => Promise<void>>(
        Snapshotter,
        'write',
        (original) =>
          function (this: { outbox: Outbox }): Promise<void> {
            const { outbox } = this;
            // Not for all: a source's writer waits for its acks as well before it ends.
            this.outbox = changed(outbox, { settled: () => Promise.resolve() });
            return original.call(this).finally(() => (this.outbox = outbox));
          },
      ),
  },
  {
    ...{ rule: 7, what: 'a snapshot is not atomic: its head comes first', job: 'toy-live' },
    wraps: { wrapStore: torn(isHead) },
  },
  {
    ...{ rule: 7, what: 'a snapshot is not atomic: its head comes last', job: 'toy-live' },
    wraps: { wrapStore: torn((change) => !isHead(change)) },
  },
  {
    ...{ rule: 7, what: 'a chain has a snapshot for each of its stages', job: 'live-chained' },
    wraps: { wrapStore: torn(isOfSecond) },
  },
  {
    ...{ rule: 8, what: 'nobody looks where the stream ends', job: 'toy-live' },
    options: { lie: 'rollback' },
    wraps: {
      wrapLog: (log) => changed(log, { info: async (name) => ({ ...(await log.info(name)), lastSequence: Infinity }) }),
    },
  },
  {
    ...{ rule: 8, what: 'a stream that was made anew passes for the old one', job: 'toy-live' },
    options: { lie: 'deletion' },
    wraps: {
      wrapLog: (log) =>
        changed(log, { info: async (name) => ({ ...(await log.info(name)), identity: '', lastSequence: Infinity }) }),
    },
  },
  {
    ...{ rule: 8, what: 'nobody looks whether what was said is there', job: 'toy-live' },
    options: { lie: 'rollback' },
    wraps: {
      wrapStore: (store) => changed(store, { getSync: (key) => withoutSaid(store.getSync(key), key) }),
    },
  },
  {
    ...{ rule: 8, what: 'inputs that were answered may be others when they are read again', job: 'toy-live' },
    options: { lie: 'loss' },
    breaks: () => replaced(InputDigest, 'judge', () => () => FITS),
  },
  {
    ...{ rule: 8, what: 'nobody looks whether what was read is there', job: 'toy-live' },
    options: { lie: 'purge' },
    wraps: {
      wrapStore: (store) => changed(store, { getSync: (key) => withoutHeard(store.getSync(key), key) }),
    },
  },
  {
    ...{ rule: 8, what: 'gaps in what a writer says are not heard', job: 'toy-bounded' },
    wraps: { wrapCopied: () => () => Infinity },
    breaks: () => replaced(Predecessors, 'check', () => () => FITS),
  },
  {
    ...{ rule: 9, what: 'counters are not in the state', job: 'toy-live' },
    wraps: {
      wrapStore: (store) =>
        changed(store, { getSync: (key) => (key.includes('/$counters/') ? undefined : store.getSync(key)) }),
    },
  },
];

export const MUTATIONS: readonly Mutation[] = [...MAILBOX, ...OUTPUTS, ...SNAPSHOTS];
