/**
 * Objects on JetStream: an object store bucket as NATS defines it (its tools can read it). An object is a run of pieces on a subject of its own and,
 * under its name, one message with that subject, their number and their digest.
 *
 * Invariants
 *   OBJECTS-1  An object exists from the moment its description is stored, and not before: a partial put is never visible.
 *   OBJECTS-2  Pieces and description are each stored once: an unknown outcome is resolved by reading the subject (as OUTBOX-3 of the outbox).
 *   OBJECTS-3  `put` and `get` buffer two pieces, however large the object. (The library's own `get` buffers all that its reader has not taken.)
 *   OBJECTS-4  Nothing is left behind: no pieces of replaced, deleted or failed objects, and no trace of deleted names. `dropAbandoned` removes the
 *              pieces
 *              that a killed process left, when they are an hour old.
 */
import { createHash, randomBytes } from 'node:crypto';
import { DiscardPolicy, type JetStreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import type { RivuletError } from '../../../runtime/contract/errors.js';
import { fatal, hasCode, reactionOf, transient } from '../../../runtime/contract/errors.js';
import type { Log, Logger, LogMessage, Objects } from '../../../runtime/contract/ports.js';
import { openNatsLog } from '../log/log.js';
import { type Piece, readPiece } from './piece.js';
import { retryWhileUnreachable, publishOnce, Undecided } from '../connection/retry.js';
import { ensureStream, openManager, subjectsOf } from '../log/stream-manager.js';

export interface ObjectsOptions {
  readonly bucket: string;
  readonly replicas: number;
  /** Of all objects together; absent: the limit of the server. */
  readonly bytesMax?: number;
  /** Records which pieces could not be removed. */
  readonly logger?: Logger;
}

const PIECE_BYTES_MAX = 512 * 1024;
const READS_AT_A_TIME = 64;
/** No put pauses this long between two pieces. */
const ABANDONED_MS = 3_600_000;
/** How often a put writes its description again because another put replaced it meanwhile. */
const REPLACED_MAX = 10;
const DIGEST = 'SHA-256=';

/** The description of an object, in the format of the NATS tools. */
interface Description {
  readonly name: string;
  readonly bucket: string;
  readonly nuid: string;
  readonly size: number;
  readonly chunks: number;
  readonly digest: string;
  readonly mtime: string;
  readonly deleted?: boolean;
  readonly options: { readonly max_chunk_size: number };
}

/** Creates the bucket, or updates it to the options. */
export async function openObjects(connection: NatsConnection, options: ObjectsOptions): Promise<Objects> {
  const { bucket, replicas, bytesMax = -1, logger } = options;
  const manager = await openManager(connection);
  await ensureStream(manager, {
    name: streamOf(bucket),
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    discard: DiscardPolicy.New,
    max_bytes: bytesMax,
    num_replicas: replicas,
    allow_rollup_hdrs: true,
  });
  return new NatsObjects(connection, await openNatsLog(connection, { manager }), manager, bucket, logger);
}

/** Removes pieces that no description names (OBJECTS-4); reads one message of each. The bucket must exist. */
export async function dropAbandoned(connection: NatsConnection, bucket: string, logger?: Logger): Promise<void> {
  const manager = await openManager(connection);
  const log = await openNatsLog(connection, { manager });
  await new NatsObjects(connection, log, manager, bucket, logger).dropAbandoned();
}

const streamOf = (bucket: string): string => `OBJ_${bucket}`;

class NatsObjects implements Objects {
  private readonly pieceBytes: number;
  private readonly stream: string;

  constructor(
    private readonly connection: NatsConnection,
    private readonly log: Log,
    private readonly manager: JetStreamManager,
    private readonly bucket: string,
    private readonly logger: Logger | undefined,
  ) {
    this.stream = streamOf(bucket);
    this.pieceBytes = Math.min(PIECE_BYTES_MAX, log.payloadBytesMax);
  }

  async put(name: string, pieces: AsyncIterable<Uint8Array>): Promise<{ bytes: number; digest: string }> {
    // Contains the name, so that pieces without a description can be found without reading them.
    const nuid = `${encoded(name)}.${randomBytes(12).toString('hex')}`;
    try {
      const written = await this.putPieces(this.piecesSubject(nuid), pieces);
      const { bytes, chunks, digest } = written;
      const old = await this.describe({
        ...{ name, bucket: this.bucket, nuid, size: bytes, chunks, digest, mtime: new Date().toISOString() },
        options: { max_chunk_size: this.pieceBytes },
      });
      if (old !== undefined) await this.dropPieces(old.nuid);
      return { bytes, digest };
    } catch (error) {
      // A description with an unknown outcome may still arrive: its pieces must exist then (OBJECTS-1).
      if (!(error instanceof Undecided)) await this.dropPieces(nuid);
      throw error;
    }
  }

  async *get(name: string): AsyncGenerator<Uint8Array, void, undefined> {
    const { description } = (await retryWhileUnreachable(() => this.described(name))) ?? {};
    if (description === undefined) throw transient('OBJECT_MISSING', `there is no object ${name} in ${this.bucket}`);
    const { nuid, chunks, size, digest } = description;
    const subject = this.piecesSubject(nuid);
    const ask = (from: number): Promise<Piece | undefined> => {
      const asked = retryWhileUnreachable(() => readPiece(this.connection, this.stream, subject, from));
      // When the caller stops early, its rejection would be unhandled.
      asked.catch(() => undefined);
      return asked;
    };
    const hash = createHash('sha256');
    let bytes = 0;
    let asked = chunks === 0 ? undefined : ask(1);
    for (let taken = 1; asked !== undefined; taken++) {
      const piece = await asked;
      if (piece === undefined) throw await this.lost(name, description);
      asked = taken < chunks ? ask(piece.sequence + 1) : undefined;
      bytes += piece.data.length;
      hash.update(piece.data);
      yield piece.data;
    }
    if (bytes !== size || digestOf(hash) !== digest) throw damaged(name, `its bytes do not give ${digest}`);
  }

  async delete(name: string): Promise<void> {
    const found = await retryWhileUnreachable(() => this.last(this.nameSubject(name)));
    if (found === undefined) return;
    // Up to this description: one stored meanwhile stays.
    await retryWhileUnreachable(() => this.log.purge(this.stream, this.nameSubject(name), found.sequence + 1));
    if (found.description !== undefined) await this.dropPieces(found.description.nuid);
  }

  async names(prefix: string): Promise<string[]> {
    const start = this.nameSubject('');
    const subjects = await retryWhileUnreachable(() => subjectsOf(this.manager, this.stream, `${start}*`));
    const names = subjects
      .map((subject) => Buffer.from(subject.slice(start.length), 'base64url'))
      .sort((a, b) => a.compare(b))
      .map((name) => name.toString('utf8'))
      .filter((name) => name.startsWith(prefix));
    const there: string[] = [];
    for (let at = 0; at < names.length; at += READS_AT_A_TIME) {
      const some = names.slice(at, at + READS_AT_A_TIME);
      const found = await Promise.all(some.map((name) => retryWhileUnreachable(() => this.described(name))));
      there.push(...some.filter((_, i) => found[i] !== undefined));
    }
    return there;
  }

  async dropAbandoned(): Promise<void> {
    const start = this.piecesSubject('');
    const byName = new Map<string, string[]>();
    for (const subject of await subjectsOf(this.manager, this.stream, `${start}*.*`)) {
      const nuid = subject.slice(start.length);
      const [name] = nuid.split('.') as [string];
      byName.set(name, [...(byName.get(name) ?? []), nuid]);
    }
    const described = new Set(
      (await subjectsOf(this.manager, this.stream, `${this.nameSubject('')}*`)).map((subject) =>
        subject.slice(this.nameSubject('').length),
      ),
    );
    for (const [name, nuids] of byName) {
      if (nuids.length === 1 && described.has(name)) continue;
      const current = await this.described(Buffer.from(name, 'base64url').toString('utf8'));
      for (const nuid of nuids) {
        if (nuid === current?.description.nuid) continue;
        const last = await this.log.last(this.stream, this.piecesSubject(nuid));
        if (last !== undefined && last.storedAtMs < Date.now() - ABANDONED_MS) await this.dropPieces(nuid);
      }
    }
  }

  private async putPieces(
    subject: string,
    pieces: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly bytes: number; readonly chunks: number; readonly digest: string }> {
    const hash = createHash('sha256');
    let [bytes, chunks, last] = [0, 0, 0];
    for await (const data of cut(pieces, this.pieceBytes)) {
      hash.update(data);
      last = await publishOnce(this.log, this.stream, subject, data, last);
      bytes += data.length;
      chunks++;
    }
    return { bytes, chunks, digest: digestOf(hash) };
  }

  /** Makes the object visible; returns the description that it replaces. */
  private async describe(description: Description): Promise<Description | undefined> {
    const subject = this.nameSubject(description.name);
    const data = Buffer.from(JSON.stringify(description));
    for (let attempt = 1; ; attempt++) {
      const old = await retryWhileUnreachable(() => this.last(subject));
      try {
        await publishOnce(this.log, this.stream, subject, data, old?.sequence ?? 0, { 'Nats-Rollup': 'sub' });
        return old?.description;
      } catch (error) {
        if (attempt === REPLACED_MAX || !hasCode(error, 'FENCED')) throw error;
      }
    }
  }

  private async described(
    name: string,
  ): Promise<{ readonly description: Description; readonly sequence: number } | undefined> {
    const { sequence, description } = (await this.last(this.nameSubject(name))) ?? {};
    if (sequence === undefined || description === undefined) return undefined;
    // Tools leave a deletion marker; Rivulet leaves nothing.
    return description.deleted === true ? undefined : { sequence, description };
  }

  private async last(
    subject: string,
  ): Promise<{ readonly description: Description | undefined; readonly sequence: number } | undefined> {
    const message: LogMessage | undefined = await this.log.last(this.stream, subject);
    return message === undefined ? undefined : { description: descriptionIn(message.data), sequence: message.sequence };
  }

  /** A piece is missing: the object was replaced or deleted during the read, or it is damaged. */
  private async lost(name: string, { nuid }: Description): Promise<Error> {
    const now = await retryWhileUnreachable(() => this.described(name));
    if (now?.description.nuid === nuid) return damaged(name, 'pieces of it are missing');
    return transient('OBJECT_MISSING', `${name} was replaced or deleted while it was read`);
  }

  /** Pieces that cannot be removed now are removed when the bucket is next opened (OBJECTS-4). */
  private async dropPieces(nuid: string): Promise<void> {
    try {
      await this.log.purge(this.stream, this.piecesSubject(nuid), Number.MAX_SAFE_INTEGER);
    } catch (error) {
      if (reactionOf(error) !== 'transient') throw error;
      this.logger?.warn({ err: error, bucket: this.bucket, object: nuid }, 'cannot remove the pieces of an object now');
    }
  }

  private nameSubject(name: string): string {
    return `$O.${this.bucket}.M.${encoded(name)}`;
  }

  private piecesSubject(nuid: string): string {
    return `$O.${this.bucket}.C.${nuid}`;
  }
}

/** With padding, as the tools of NATS do. */
function encoded(name: string): string {
  const text = Buffer.from(name, 'utf8').toString('base64url');
  return text + '='.repeat((4 - (text.length % 4)) % 4);
}

/** Overwritten with foreign data, there is no description and so no object. */
function descriptionIn(data: Uint8Array): Description | undefined {
  try {
    const found = JSON.parse(Buffer.from(data).toString('utf8')) as Partial<Description> | null;
    const { nuid, size, chunks, digest } = found ?? {};
    const texts = [nuid, digest].every((text) => typeof text === 'string' && text !== '');
    return texts && [size, chunks].every(Number.isSafeInteger) ? (found as Description) : undefined;
  } catch {
    return undefined;
  }
}

const digestOf = (hash: ReturnType<typeof createHash>): string =>
  DIGEST + hash.digest('base64').replaceAll('+', '-').replaceAll('/', '_');

const damaged = (name: string, why: string): RivuletError =>
  fatal('OBJECT_DAMAGED', `the object ${name} is damaged: ${why}`);

/** Pieces of equal size; the last may be smaller, none is empty. */
async function* cut(pieces: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let filled = 0;
  let out = new Uint8Array(size);
  for await (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      const some = piece.subarray(at, at + size - filled);
      out.set(some, filled);
      filled += some.length;
      at += some.length;
      if (filled < size) continue;
      yield out;
      [out, filled] = [new Uint8Array(size), 0];
    }
  }
  if (filled > 0) yield out.subarray(0, filled);
}
