/**
 * Copies of a shard's snapshots, where all nodes can reach them: parts in the Object Store, and a manifest that says which parts make the copy.
 *
 * The state of an instance after input S is a function of its mailbox. Two stores at the same S are thus equal, whoever wrote them, and a
 * part with all changes between S₀ and S₁ brings any store at S, S₀ ≤ S ≤ S₁, to S₁.
 *
 * Invariants
 *   REPLICA-1  The manifest is replaced by compare-and-set only, and its sequences never fall: an owner that was replaced cannot undo its successor's.
 *   REPLICA-2  A manifest names only parts that are stored completely; a part is deleted only when no manifest names it.
 *   REPLICA-3  A store has a head for an instance only when all that the head includes is there.
 */
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type CopyPiece, CopyPieceSchema } from '../../proto/gen/rivulet/internal/v1/frame_pb.js';
import { utf8 } from '../frames/bytes.js';
import { fatal } from '../contract/errors.js';
import type { KeyValue, KeyValueEntry, Objects, StoreChange } from '../contract/ports.js';
import { hasFields, isCount, isListOf, isRecordOf, isText, storedJson } from '../contract/stored-json.js';

/** Name of the bucket that the manifests are in. */
export const MANIFESTS = 'RIVULET_COPIES';

/** Stage id → the mailbox sequence that its state includes. */
export type Sequences = Readonly<Record<string, number>>;

export interface CopyPart {
  readonly name: string;
  readonly bytes: number;
  readonly digest: string;
  /** What a store must include for this part to complete it, and what it includes then. The first part of a manifest is a complete copy: from nothing. */
  readonly from: Sequences;
  readonly to: Sequences;
}

export interface Manifest {
  readonly format: number;
  readonly parts: readonly CopyPart[];
}

export interface StoredManifest {
  readonly manifest: Manifest | undefined;
  /** For the compare-and-set; 0 when there is none. */
  readonly revision: number;
  /** Why the entry is no manifest, as text: there is no copy until the owner replaces it with its next one. */
  readonly unreadable?: string;
}

/** Where the copies of a deployment are. */
export interface ReplicaStore {
  readonly manifests: KeyValue;
  readonly objects: Objects;
}

/** 1: no part is compressed. */
const FORMAT = 2;

/** What the complete copy includes. */
export const includedIn = (manifest: Manifest | undefined): Sequences => manifest?.parts.at(-1)?.to ?? {};

const isPart = hasFields({
  ...{ name: isText, bytes: isCount, digest: isText },
  ...{ from: isRecordOf(isCount), to: isRecordOf(isCount) },
});
const isManifest = hasFields({ format: (value) => value === 1 || value === FORMAT, parts: isListOf(isPart) });
const isNewer = hasFields({
  format: (value) => isCount(value) && (value as number) > FORMAT,
  parts: isListOf(() => true),
});

export async function readManifest({ manifests }: ReplicaStore, shard: string): Promise<StoredManifest> {
  const entry = await manifests.get(shard);
  return entry === undefined ? { manifest: undefined, revision: 0 } : manifestIn(entry);
}

/** Fatal COPY_FORMAT. */
export function manifestIn({ key: shard, value, revision }: KeyValueEntry): StoredManifest {
  const manifest = storedJson<Manifest>(value, isManifest);
  if (manifest !== undefined) return { manifest, revision };
  const newer = storedJson<{ readonly format: number }>(value, isNewer);
  if (newer === undefined) {
    const unreadable = `the entry ${shard} of the bucket ${MANIFESTS} (revision ${revision}) was not written by rivulet`;
    return { manifest: undefined, revision, unreadable };
  }
  throw fatal('COPY_FORMAT', `the copy of ${shard} has format ${newer.format}, this build reads ${FORMAT}`, {
    hint: `run one version of rivulet on all nodes, the newest that has run; if none was newer than this one, delete the entry ${shard} of the bucket ${MANIFESTS} (nats kv del)`,
  });
}

export const manifestOf = (parts: readonly CopyPart[]): Manifest => ({ format: FORMAT, parts });

export const writeManifest = (
  { manifests }: ReplicaStore,
  shard: string,
  parts: readonly CopyPart[],
  revision: number,
) => manifests.put(shard, utf8(JSON.stringify(manifestOf(parts))), revision);

/** Bytes of entries in one piece of a part: what is in memory at a time. */
const PIECE_BYTES = 256 * 1024;

/** A piece has PIECE_BYTES and one entry more; what claims to be larger is not ours. */
const INFLATED = { maxOutputLength: 64 * 1024 * 1024 };
/** In a piece's length: it is compressed. */
const COMPRESSED = 0x8000_0000;
/** A fifth of the bytes is left, for a millisecond of CPU per piece: less than NATS takes for the rest. */
const QUALITY = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

/** Entries as pieces: each a length (uint32, little-endian) and a CopyPiece, compressed with brotli. */
export async function* piecesOf(entries: AsyncIterable<readonly StoreChange[]>): AsyncGenerator<Uint8Array> {
  let waiting: StoreChange[] = [];
  let bytes = 0;
  for await (const some of entries) {
    for (const change of some) {
      waiting.push(change);
      bytes += change.key.length + (change.value?.length ?? 0);
      if (bytes < PIECE_BYTES) continue;
      yield encodePiece(waiting);
      waiting = [];
      bytes = 0;
    }
  }
  if (waiting.length > 0) yield encodePiece(waiting);
}

function encodePiece(changes: readonly StoreChange[]): Uint8Array {
  const entries = changes.map(({ key, value }) => ({ key, ...(value === undefined ? {} : { value }) }));
  const body = brotliCompressSync(toBinary(CopyPieceSchema, create(CopyPieceSchema, { entries })), QUALITY);
  const piece = new Uint8Array(4 + body.length);
  new DataView(piece.buffer).setUint32(0, (COMPRESSED | body.length) >>> 0, true);
  piece.set(body, 4);
  return piece;
}

/** Decodes the entries, however the bytes are split into chunks. */
export async function* entriesOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<StoreChange[]> {
  let rest: Uint8Array<ArrayBufferLike> = new Uint8Array(0);
  for await (const chunk of bytes) {
    rest = rest.length === 0 ? Uint8Array.from(chunk) : Buffer.concat([rest, chunk]);
    for (;;) {
      if (rest.length < 4) break;
      const head = new DataView(rest.buffer, rest.byteOffset).getUint32(0, true);
      const length = head & ~COMPRESSED;
      if (rest.length < 4 + length) break;
      const { entries } = decodedPiece(rest.subarray(4, 4 + length), head >= COMPRESSED);
      yield entries.map(({ key, value }) => ({ key, value }));
      rest = rest.subarray(4 + length);
    }
  }
  if (rest.length > 0) throw fatal('OBJECT_DAMAGED', 'a part of a copy ends in the middle of a piece');
}

/** A wrong digest shows only at the end; content that cannot be decoded shows before. */
function decodedPiece(bytes: Uint8Array, compressed: boolean): CopyPiece {
  try {
    return fromBinary(CopyPieceSchema, compressed ? new Uint8Array(brotliDecompressSync(bytes, INFLATED)) : bytes);
  } catch (error) {
    throw fatal('OBJECT_DAMAGED', 'a part of a copy cannot be read', { cause: error });
  }
}
