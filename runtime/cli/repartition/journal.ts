/**
 * The progress of a repartition, recorded twice: in its data directory (the journal), and in NATS, where it keeps nodes from starting (the mark).
 *
 *   REPARTITION-JOURNAL-1  Both say a step before anything of it is done, the mark first; only the first step is said by the journal first. So the mark of a journal is as far as
 *                          it, or one step ahead.
 *   REPARTITION-JOURNAL-2  A journal without its mark is a leftover, and never gone on with: NATS was replaced or put back since, or all is done.
 *   REPARTITION-JOURNAL-3  A mark without its journal, which is on another data directory or lost, is not gone on with either. At step `state` NATS is what it was; at `copies` it has
 *                          all of the new deployment, but for copies that are missing. In between what is known is on that data directory alone.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StreamArchive } from '../../../connectors/nats/log/stream-archive.js';
import { fatal } from '../../contract/errors.js';
import { hasFields, isCount, isText, storedJson } from '../../contract/stored-json.js';
import { REPARTITIONING_STREAM } from '../../contract/streams.js';

const STEPS = ['state', 'streams', 'swap', 'copies'] as const;
export type Step = (typeof STEPS)[number];

export interface Journal {
  /** Of this repartition, and no other. */
  readonly id: string;
  /** Partitions of users and items. */
  readonly from: number;
  readonly to: number;
  readonly step: Step;
}

export const workDirectory = (dataDir: string): string => join(dataDir, 'repartition');
const journalFile = (dataDir: string): string => join(workDirectory(dataDir), 'journal.json');

export interface BrokenOff {
  /** Of this data directory, where it can be gone on with. */
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

const isJournal = hasFields({
  ...{ id: isText, from: isCount, to: isCount },
  step: (value) => STEPS.includes(value as Step),
});

/** It may be the one that the mark is of: what is known would be on this data directory alone (REPARTITION-JOURNAL-3). */
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

/** Fatal REPARTITION_UNFINISHED: ours was broken off, and has to be completed before anything else. */
export const toBeCompleted = ({ from, to, step }: Journal): Error =>
  fatal(
    'REPARTITION_UNFINISHED',
    `a repartition from ${from} to ${to} partitions is under way on this data directory, or was broken off`,
    {
      hint:
        `complete it, it goes on where it stopped: rivulet repartition --partitions ${to} --yes` +
        // Until then a failure gives it up by itself.
        (step === 'state' ? '' : '; where that cannot be done, rivulet repair --start-anew says what would be lost'),
    },
  );
