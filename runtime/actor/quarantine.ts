/**
 * What a mailbox holds no more, as a record in the log: inputs that the runtime has given up on, what was trimmed, what was lost for good.
 *
 * Invariants
 *   B1  An input is skipped only after the log has stored that it is: whoever restores an older snapshot, also on another node, skips it as well.
 *   B2  An actor knows the record, read from the leader, before it reads its mailbox.
 *   B3  A record is fenced by the one before it: of two owners that bury at once, the second reads what the first has said.
 *   B4  That a mailbox is trimmed is recorded before it is: whoever reads on from an older snapshot finds out.
 *
 * Records have a stream of their own, so that a mailbox that is full because of the very message can still be freed of it. Each names the
 * stream whose sequences it lists: those of a stream that was made anew mean other messages.
 */
import { textOf, utf8 } from '../frames/bytes.js';
import { POISON, streamOf } from '../contract/graph.js';
import type { Log, StreamInfo } from '../contract/ports.js';
import { type Span, spansOf } from '../log-integrity/gaps.js';

type StreamIdentity = Pick<StreamInfo, 'identity' | 'origins'>;

/** The newest that are remembered: who restores a snapshot that is a thousand burials old finds out anew. */
const BURIED_MAX = 1_000;
/** More are told as one, from the first to the last: what is between them was there when they were found. */
const GONE_MAX = 1_000;

export interface Mailbox {
  readonly log: Log;
  readonly stage: { readonly id: string };
  readonly partition: number;
}

interface Record {
  readonly stream: string;
  readonly sequences: readonly number[];
  /** Messages with a lower sequence may be missing, or were answered in streams that are gone: nobody begins there. Absent: none is. */
  readonly trimmed?: number;
  /** Lost in the log, and given up by `rivulet repair`; absent: none is. */
  readonly gone?: readonly Span[];
}

/** What of a mailbox's stream is buried, below which sequence messages may be missing, and which were lost. */
export interface MailboxRecord {
  readonly buried: ReadonlySet<number>;
  readonly trimmed: number;
  readonly gone: readonly Span[];
}

const subjectOf = ({ stage, partition }: Mailbox): string => `rivulet.${POISON}.${stage.id}.${partition}`;

/** `stream`: which one that is now, and which it was restored from. */
export async function mailboxRecord(mailbox: Mailbox, stream: StreamIdentity): Promise<MailboxRecord> {
  const { sequences, trimmed, gone } = await read(mailbox, stream);
  return { buried: new Set(sequences), trimmed, gone };
}

/** Resolves when it is stored that messages below may be missing. */
export function noteTrim(mailbox: Mailbox, below: number): Promise<void> {
  return change(mailbox, ({ trimmed, gone }) => ({
    trimmed: Math.max(trimmed, below),
    gone: gone.filter(([, to]) => to >= below),
  }));
}

/** Resolves when it is stored that these are lost, so that every replay goes on without them. */
export function noteGone(mailbox: Mailbox, spans: readonly Span[]): Promise<void> {
  return change(mailbox, ({ gone }) => {
    const all = spansOf([...gone, ...spans]);
    return { gone: all.length <= GONE_MAX ? all : [[all[0]![0], all.at(-1)![1]]] };
  });
}

/** Resolves when it is stored; Transient errors leave it open whether it is, which is no harm: the next actor reads what is. */
export function bury(mailbox: Mailbox, sequence: number): Promise<void> {
  return change(mailbox, ({ sequences }) => ({
    sequences: [...sequences.filter((one) => one !== sequence), sequence].slice(-BURIED_MAX),
  }));
}

/** Takes back what was buried in vain. Only for who has buried it, and before anything was said about it. */
export function unbury(mailbox: Mailbox, sequence: number): Promise<void> {
  return change(mailbox, ({ sequences }) => ({ sequences: sequences.filter((one) => one !== sequence) }));
}

type Content = Required<Omit<Record, 'stream'>>;

async function change(mailbox: Mailbox, next: (content: Content) => Partial<Content>): Promise<void> {
  const { log, stage } = mailbox;
  const info = await log.info(streamOf(stage.id));
  const { at, ...content } = await read(mailbox, info);
  const record: Record = { stream: info.identity, ...content, ...next(content) };
  const stored = await log.publish(subjectOf(mailbox), utf8(JSON.stringify(record)), { expected: at });
  // The last record says it all.
  await log.purge(streamOf(POISON), subjectOf(mailbox), stored).catch(() => undefined);
}

async function read(
  mailbox: Mailbox,
  { identity, origins = [] }: StreamIdentity,
): Promise<Content & { readonly at: number }> {
  const last = await mailbox.log.last(streamOf(POISON), subjectOf(mailbox));
  if (last === undefined) return { sequences: [], trimmed: 0, gone: [], at: 0 };
  const { stream, sequences, trimmed = 0, gone = [] } = JSON.parse(textOf(last.data)) as Record;
  // Of a stream that this one was restored from counts what is in both.
  const upTo = stream === identity ? Infinity : (origins.find((one) => one.identity === stream)?.upTo ?? 0);
  return {
    sequences: sequences.filter((sequence) => sequence <= upTo),
    trimmed: Math.min(trimmed, upTo + 1),
    gone: gone.flatMap(([from, to]): Span[] => (from > upTo ? [] : [[from, Math.min(to, upTo)]])),
    at: last.sequence,
  };
}
