/**
 * Does the log fit the state? The one judgement: actors and sinks throw it (`mustFit`), readers of NATS try again on it, and
 * `rivulet repair`, `doctor` and `state verify` print it. Pure functions; callers read the facts from log and store.
 *
 *   LOG_BEHIND   the log lacks what state or outputs already include: it was rolled back, replaced, purged, or refilled with other messages
 *   LOG_GAP      the log lacks what the state has yet to read: it was trimmed, or messages were lost
 *   others       the snapshot is one of another build, or of another number of partitions
 */
import { fatal, type RivuletError } from '../contract/errors.js';
import { CLOCK, REPARTITION, writerOf } from '../contract/graph.js';
import type { LogMessage, StreamInfo } from '../contract/ports.js';
import { isWithin, type Span, spanText } from './spans.js';

const REPAIR = 'or see what can be done with `rivulet repair`';
const RESTORE = `the NATS store was rolled back, deleted or replaced: restore it, ${REPAIR}`;
const PURGED = `messages were purged or deleted from the NATS store, or it was rolled back: restore it, ${REPAIR}`;
const OLD_STATE = `the state is older than what the log was trimmed to: restore both of one moment, ${REPAIR}`;
const OTHER_BUILD =
  'run the version that wrote it; `rivulet repair --start-anew` goes on with this one, and reports what is lost';

const KINDS = {
  'other-stream': { code: 'LOG_BEHIND', remedy: RESTORE },
  'rolled-back': { code: 'LOG_BEHIND', remedy: RESTORE },
  refilled: { code: 'LOG_BEHIND', remedy: RESTORE },
  'output-gone': { code: 'LOG_BEHIND', remedy: PURGED },
  'output-repeated': { code: 'LOG_BEHIND', remedy: PURGED },
  'input-gone': { code: 'LOG_BEHIND', remedy: PURGED },
  'inputs-differ': { code: 'LOG_GAP', remedy: PURGED },
  trimmed: { code: 'LOG_GAP', remedy: OLD_STATE },
  'predecessor-gone': { code: 'LOG_GAP', remedy: OLD_STATE },
  lost: { code: 'LOG_GAP', remedy: `messages of publishers were lost in the NATS store: restore it, ${REPAIR}` },
  repartitioned: {
    code: 'LOG_GAP',
    remedy: `the copy of that state is gone: start the node on the data directory that was repartitioned, ${REPAIR}`,
  },
  'other-format': { code: 'SNAPSHOT_FORMAT', remedy: OTHER_BUILD },
  'other-version': { code: 'STAGE_VERSION', remedy: OTHER_BUILD },
  'other-partitions': { code: 'PARTITIONS_CHANGED', remedy: 'see rivulet repartition, and rivulet repair' },
} as const;

export type MisfitKind = keyof typeof KINDS;

export interface Misfit {
  readonly fits: false;
  readonly kind: MisfitKind;
  readonly code: (typeof KINDS)[MisfitKind]['code'];
  /** What does not fit: a stream, a subject, a snapshot. */
  readonly subject: string;
  /** What it does not fit: an instance, a sink, a build. */
  readonly reader: string;
  readonly expected: string;
  readonly found: string;
  readonly remedy: string;
  /** Only of `lost`: all other messages are there. */
  readonly missing?: readonly Span[];
}

export type Verdict = { readonly fits: true } | Misfit;

export const FITS: Verdict = { fits: true };

const misfit = (
  kind: MisfitKind,
  facts: Pick<Misfit, 'subject' | 'reader' | 'expected' | 'found' | 'missing'>,
): Misfit => ({ fits: false, kind, ...KINDS[kind], ...facts });

export const messageOf = ({ subject, reader, expected, found }: Misfit): string =>
  `${subject} does not fit ${reader}: expected ${expected}, but ${found}`;

/** As it is printed: one line with its code. */
export const verdictText = (one: Misfit): string => `${one.code}: ${messageOf(one)}`;

export const errorOf = (one: Misfit, hint = one.remedy): RivuletError => fatal(one.code, messageOf(one), { hint });

/** Throws what does not fit. */
export function mustFit(verdict: Verdict, hint?: string): void {
  if (!verdict.fits) throw errorOf(verdict, hint);
}

/** Up to which message a stream has the same messages as the stream with that identity: all, or those it was restored from; `undefined`: it is another one. */
export const sharedUpTo = (identity: string, stream: Pick<StreamInfo, 'identity' | 'origins'>): number | undefined =>
  identity === stream.identity ? Infinity : stream.origins?.find((one) => one.identity === identity)?.upTo;

/** What was read, up to a sequence, of the stream with that identity; absent: nothing. `info`: absent where there is no such stream. */
export function judgeStream(
  reader: string,
  stream: string,
  read: { readonly sequence: number; readonly stream: string } | undefined,
  info: Pick<StreamInfo, 'identity' | 'origins' | 'lastSequence'> | undefined,
): Verdict {
  if (read === undefined) return FITS;
  const expected =
    read.sequence === 0 ? 'the one that it began to read' : `message ${read.sequence}, which it has read`;
  const facts = { reader, subject: stream, expected };
  if (info === undefined) return misfit('other-stream', { ...facts, found: 'there is no such stream' });
  const shared = sharedUpTo(read.stream, info);
  if (shared === undefined) return misfit('other-stream', { ...facts, found: 'it is another stream of that name' });
  if (Math.min(shared, info.lastSequence) >= read.sequence) return FITS;
  const found =
    shared < read.sequence
      ? `the stream was restored from a backup that ends at message ${shared}`
      : `the stream ends at message ${info.lastSequence}`;
  return misfit('rolled-back', { ...facts, found });
}

/** A stream that was truncated and refilled has another message at the same sequence. */
export function judgeLastRead(
  reader: string,
  stream: string,
  read: Pick<LogMessage, 'sequence' | 'storedAtMs'>,
  found: Pick<LogMessage, 'storedAtMs'>,
): Verdict {
  if (read.storedAtMs === 0 || found.storedAtMs === read.storedAtMs) return FITS;
  const [then, now] = [read, found].map(({ storedAtMs }) => new Date(storedAtMs).toISOString());
  return misfit('refilled', {
    ...{ reader, subject: stream },
    expected: `message ${read.sequence} of ${then}, which it has read`,
    found: `that message is of ${now}: the stream was truncated and refilled`,
  });
}

/** The last message on a subject, and the last input that it covers. */
export interface OutputFacts {
  readonly sequence: number;
  readonly answered: number;
}

/** What was published before the snapshot is not published again, so it must be there. `end`: of the subject's stream. */
export function judgeOutput(
  reader: string,
  subject: string,
  known: OutputFacts,
  last: OutputFacts,
  end: number,
): Verdict {
  if (last.sequence < known.sequence) {
    const isRolledBack = end < known.sequence;
    return {
      ...misfit('output-gone', {
        ...{ reader, subject },
        expected: `message ${known.sequence}, which it has published`,
        found: `the last message there is ${last.sequence}${isRolledBack ? '' : `, though its stream goes on to message ${end}`}`,
      }),
      ...(isRolledBack ? { remedy: RESTORE } : {}),
    };
  }
  if (last.answered >= known.answered) return FITS;
  // Another owner without state may have published again on a subject that was purged; nobody publishes the missing messages again.
  return misfit('output-repeated', {
    ...{ reader, subject },
    expected: `the output for message ${known.answered}, which it has published`,
    found: `the last message there is the output for message ${last.answered}`,
  });
}

/** A writer whose last message is gone publishes it again, and the reader would count it twice. */
export const judgeInput = (reader: string, subject: string, known: number, last: number): Verdict =>
  last >= known
    ? FITS
    : misfit('input-gone', {
        ...{ reader, subject },
        expected: `message ${known}, which it has read`,
        found: last === 0 ? 'there is no message' : `the last message there is ${last}`,
      });

/** Outputs cannot cover inputs that are not there. `end`: absent where there is no such stream. */
export const judgeAnswered = (reader: string, stream: string, answered: number, end: number | undefined): Verdict =>
  answered <= (end ?? 0)
    ? FITS
    : misfit('rolled-back', {
        ...{ reader, subject: stream },
        expected: `message ${answered}, whose output it has published`,
        found: end === undefined ? 'there is no such stream' : `the stream ends at message ${end}`,
      });

/** `trimmed`: below it another owner may have trimmed the mailbox. */
export const judgeTrim = (reader: string, stream: string, sequence: number, trimmed: number): Verdict =>
  trimmed <= sequence + 1
    ? FITS
    : misfit('trimmed', {
        ...{ reader, subject: stream },
        expected: `all messages after ${sequence}`,
        found: `those before message ${trimmed} were trimmed`,
      });

/** Where sequences show what is missing: messages missing from the first on were trimmed, later ones were lost. */
export function judgeMissing(reader: string, stream: string, missing: readonly Span[]): Verdict {
  if (missing.length === 0) return FITS;
  const expected = spanText(missing);
  const found = expected.startsWith('messages') ? 'they are missing' : 'it is missing';
  const facts = { reader, subject: stream, expected, found };
  return missing[0]![0] === 1 ? misfit('trimmed', facts) : misfit('lost', { ...facts, missing });
}

/** The reader's state when a writer's message arrives. */
export interface PredecessorFacts {
  /** The sequence of the snapshot that it recovered, and the last message of this writer up to now. */
  readonly restoredAt: number;
  readonly last: number | undefined;
  readonly gone: readonly Span[];
  /** A missing message shows by its sequence. */
  readonly seesAll: boolean;
}

/** Each message names the one before it on its subject. */
export function judgePredecessor(
  reader: string,
  { subject, sequence, expected }: Pick<LogMessage, 'subject' | 'sequence' | 'expected'>,
  { restoredAt, last, gone, seesAll }: PredecessorFacts,
): Verdict {
  // A foreign message, which is ignored.
  if (expected === undefined) return FITS;
  const writer = writerOf(subject).id;
  const facts = { reader, subject };
  if (writer === REPARTITION) {
    const state = 'the state that the repartition wrote, which this mailbox continues';
    return misfit('repartitioned', { ...facts, expected: state, found: 'it does not have that state' });
  }
  // The state may include later messages of other writers and not this one; unless sequences show what is missing.
  const known = last ?? (seesAll ? restoredAt : 0);
  if (expected > known && !isWithin(gone, [expected, expected])) {
    const found = `it is gone; the state includes messages up to ${restoredAt}`;
    return misfit('predecessor-gone', { ...facts, expected: `message ${expected} before ${sequence}`, found });
  }
  // In a purged stream the clock starts again. A message of the clock that is missing shows by its sequence.
  const isPurged = expected === 0 && writer === CLOCK && seesAll;
  if (last === undefined || expected >= last || isPurged) return FITS;
  return misfit('input-gone', {
    ...{ ...facts, expected: `message ${last}, which it has read` },
    found: `message ${sequence} follows ${expected === 0 ? 'none' : `message ${expected}`} there`,
  });
}

/** Inputs behind the snapshot that have outputs are read again, and must be the same (actor/input-digest.ts). */
export interface AnsweredInputs {
  readonly from: number;
  readonly upTo: number;
  /** Their digest. */
  readonly answered: number;
  /** Absent: the last of them is not there. */
  readonly found: number | undefined;
  /** Recorded as lost: only their outputs are left. */
  readonly gone: readonly Span[];
}

export const judgeInputs = (
  reader: string,
  stream: string,
  { from, upTo, answered, found, gone }: AnsweredInputs,
): Verdict =>
  found === answered || gone.some(([first, last]) => first <= upTo && last >= from)
    ? FITS
    : misfit('inputs-differ', {
        ...{ reader, subject: stream },
        expected: `the messages up to ${upTo} whose outputs it has published`,
        found: 'some are missing, or they are others',
      });

interface HeadFacts {
  readonly format: number;
  readonly stageVersion: number;
  readonly partitions: number;
}

/** `wanted`: the format and stage version of this build, the partitions of this deployment. */
export function judgeHead(instance: string, head: HeadFacts, wanted: HeadFacts): Verdict {
  const subject = `the snapshot of ${instance}`;
  const other = (kind: MisfitKind, reader: string, expected: string, found: string): Misfit =>
    misfit(kind, { subject, reader, expected, found });
  if (head.format !== wanted.format) {
    return other('other-format', 'this build', `format ${wanted.format}`, `it has format ${head.format}`);
  }
  if (head.stageVersion !== wanted.stageVersion) {
    const expected = `version ${wanted.stageVersion} of the stage`;
    return other('other-version', 'this build', expected, `it is of version ${head.stageVersion}`);
  }
  if (head.partitions !== wanted.partitions) {
    const expected = `${wanted.partitions} partitions`;
    const remedy = `start with --partitions ${head.partitions}, or see rivulet repartition, and rivulet repair`;
    return { ...other('other-partitions', 'the deployment', expected, `it is one of ${head.partitions}`), remedy };
  }
  return FITS;
}
