/**
 * The progress of a repartition, recorded twice: in its data directory (the journal), and in NATS, where it keeps nodes from starting (the mark).
 *
 *   REPARTITION-JOURNAL-1  Both record a step before any of it is done, the mark first; only the first step is recorded in the journal first. So the mark
 *                          of a journal is at the same step or one ahead.
 *   REPARTITION-JOURNAL-2  A journal without its mark is a leftover and never resumed: NATS was replaced or restored since, or everything is done.
 *   REPARTITION-JOURNAL-3  A mark without its journal, which is on another data directory or lost, is not resumed either. At step `state` NATS is
 *                          unchanged; at `copies` it contains all of the new deployment, except missing copies. In between some data exists only on that
 *                          data directory.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import type { Layout } from '../../config/deployment.js';
import { fatal } from '../../contract/errors.js';
import { hasFields, isCount, isText, storedJson } from '../../contract/stored-json.js';
import { REPARTITIONING_STREAM } from '../../contract/streams.js';

const STEPS = ['state', 'streams', 'swap', 'copies'] as const;
export type Step = (typeof STEPS)[number];

export interface Journal {
  /** Identifies this repartition. */
  readonly id: string;
  readonly from: Layout;
  readonly to: Layout;
  readonly step: Step;
}

type Layouts = Pick<Journal, 'from' | 'to'>;

export const isSame = ({ from, to }: Layouts): boolean =>
  from.partitions === to.partitions && from.chaining === to.chaining;

/** `from 3 to 5 partitions`; what stays is left out. */
export function changeText({ from, to }: Layouts): string {
  const partitions = `from ${from.partitions} to ${to.partitions} partitions`;
  if (from.chaining === to.chaining) return partitions;
  const chaining = `from chaining ${from.chaining} to ${to.chaining}`;
  return from.partitions === to.partitions ? chaining : `${partitions}, ${chaining}`;
}

/** With which `rivulet repartition` does it. */
export function flagsOf({ from, to }: Layouts): string {
  const chaining = from.chaining === to.chaining ? [] : [`--chaining ${to.chaining}`];
  const isOnlyThat = from.partitions === to.partitions && chaining.length > 0;
  return [...(isOnlyThat ? [] : [`--partitions ${to.partitions}`]), ...chaining].join(' ');
}

export const workDirectory = (dataDir: string): string => join(dataDir, 'repartition');
const journalFile = (dataDir: string): string => join(workDirectory(dataDir), 'journal.json');

export interface BrokenOff {
  /** The journal of this data directory, if it can be resumed. */
  readonly journal: Journal | undefined;
  readonly mark: Journal | undefined;
}

export async function brokenOff(dataDir: string, archive: StreamArchive): Promise<BrokenOff> {
  const file = journalFile(dataDir);
  const mark = await markOn(archive);
  const journal = existsSync(file) ? storedJson<Journal>(readFileSync(file, 'utf8'), isJournal) : undefined;
  if (journal === undefined && mark !== undefined && existsSync(file)) throw damaged(file, mark);
  return { journal: journal !== undefined && isMarked(journal, mark) ? journal : undefined, mark };
}

function isMarked({ id, step }: Journal, mark: Journal | undefined): boolean {
  if (mark?.id !== id) return false;
  const ahead = STEPS.indexOf(mark.step) - STEPS.indexOf(step);
  return ahead === 0 || ahead === 1;
}

const isLayout = hasFields({ partitions: isCount, chaining: (value) => value === 'on' || value === 'off' });
const isJournal = hasFields({
  ...{ id: isText, from: isLayout, to: isLayout },
  step: (value) => STEPS.includes(value as Step),
});

/** It may be the journal of the mark: then some data exists only on this data directory (REPARTITION-JOURNAL-3). */
const damaged = (file: string, mark: Journal): Error =>
  fatal('STATE_DAMAGED', `${file} is damaged: it does not say how far the repartition is`, {
    hint: `where the repartition was run on this data directory, write it as NATS has it: ${JSON.stringify(mark)}; otherwise delete it`,
  });

export async function markOn(archive: StreamArchive): Promise<Journal | undefined> {
  const stream = await archive.find(REPARTITIONING_STREAM);
  if (stream === undefined) return undefined;
  const { description } = stream.config;
  const mark = storedJson<Journal>(description ?? '', isJournal);
  if (mark !== undefined) return mark;
  throw fatal('REPARTITION_UNFINISHED', `${REPARTITIONING_STREAM} does not say which repartition it is of`, {
    hint: `another version of rivulet has made it: finish the repartition with that one; if none has, delete the stream ${REPARTITIONING_STREAM} (nats stream rm), and see rivulet repair`,
  });
}

export function writeJournal(dataDir: string, journal: Journal): void {
  mkdirSync(workDirectory(dataDir), { recursive: true });
  const file = journalFile(dataDir);
  writeFileSync(`${file}.new`, JSON.stringify(journal), { flush: true });
  renameSync(`${file}.new`, file);
}

export const writeMark = (archive: StreamArchive, journal: Journal, replicas: number): Promise<void> =>
  archive.mark(REPARTITIONING_STREAM, replicas, JSON.stringify(journal));

/** Fatal REPARTITION_UNFINISHED: this repartition was interrupted, and must be completed first. */
export const toBeCompleted = (journal: Journal): Error =>
  fatal(
    'REPARTITION_UNFINISHED',
    `a repartition ${changeText(journal)} is under way on this data directory, or was interrupted`,
    {
      hint:
        `complete it, it goes on where it stopped: rivulet repartition ${flagsOf(journal)} --yes` +
        // In that step a failure still rolls back.
        (journal.step === 'state'
          ? ''
          : '; where that cannot be done, rivulet repair --start-anew says what would be lost'),
    },
  );
