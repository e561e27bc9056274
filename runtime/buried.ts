/**
 * Inputs that the runtime has given up on, as a record in the log.
 *
 * Invariants
 *   B1  An input is skipped only after the log has stored that it is: whoever restores an older snapshot, also on another node, skips it as well.
 *   B2  An actor knows the record, read from the leader, before it reads its mailbox.
 *   B3  A record is fenced by the one before it: of two owners that bury at once, the second reads what the first has said.
 *
 * Records have a stream of their own, so that a mailbox that is full because of the very message can still be freed of it. Each names the
 * stream whose sequences it lists: those of a stream that was made anew mean other messages.
 */
import { textOf, utf8 } from './bytes.js';
import { POISON, streamOf } from './graph.js';
import type { Log } from './ports.js';

/** The newest that are remembered: who restores a snapshot that is a thousand burials old finds out anew. */
const BURIED_MAX = 1_000;

export interface Mailbox {
  readonly log: Log;
  readonly stage: { readonly id: string };
  readonly partition: number;
}

interface Record {
  readonly stream: string;
  readonly sequences: readonly number[];
}

const subjectOf = ({ stage, partition }: Mailbox): string => `rivulet.${POISON}.${stage.id}.${partition}`;

/** Sequences of the mailbox's stream. `identity`: which stream that is now. */
export async function buriedInputs(mailbox: Mailbox, identity: string): Promise<ReadonlySet<number>> {
  return new Set((await read(mailbox, identity)).sequences);
}

/** Resolves when it is stored; Transient errors leave it open whether it is, which is no harm: the next actor reads what is. */
export function bury(mailbox: Mailbox, sequence: number): Promise<void> {
  return change(mailbox, (sequences) => [...sequences.filter((one) => one !== sequence), sequence].slice(-BURIED_MAX));
}

/** Takes back what was buried in vain. Only for who has buried it, and before anything was said about it. */
export function unbury(mailbox: Mailbox, sequence: number): Promise<void> {
  return change(mailbox, (sequences) => sequences.filter((one) => one !== sequence));
}

async function change(mailbox: Mailbox, next: (sequences: readonly number[]) => readonly number[]): Promise<void> {
  const { log, stage } = mailbox;
  const { identity } = await log.info(streamOf(stage.id));
  const { sequences, at } = await read(mailbox, identity);
  const record: Record = { stream: identity, sequences: next(sequences) };
  const stored = await log.publish(subjectOf(mailbox), utf8(JSON.stringify(record)), { expected: at });
  // The last record says it all.
  await log.purge(streamOf(POISON), subjectOf(mailbox), stored).catch(() => undefined);
}

async function read(
  mailbox: Mailbox,
  identity: string,
): Promise<{ readonly sequences: readonly number[]; readonly at: number }> {
  const last = await mailbox.log.last(streamOf(POISON), subjectOf(mailbox));
  if (last === undefined) return { sequences: [], at: 0 };
  const { stream, sequences } = JSON.parse(textOf(last.data)) as Record;
  return { sequences: stream === identity ? sequences : [], at: last.sequence };
}
