/**
 * A backup on disk: one file per stream, as the server sent it, and `manifest.json`, written last. Without the manifest a backup is unfinished; with it,
 * it is complete: the manifest has the length and the SHA-256 of each file, and its own.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SavedStream } from '../../../connectors/nats/log/stream-archive.js';
import { fatal } from '../../contract/errors.js';
import { hasFields, storedJson } from '../../contract/stored-json.js';

export interface BackupStream extends SavedStream {
  readonly file: string;
  readonly bytes: number;
  /** SHA-256 of the file, hex. */
  readonly digest: string;
}

export interface BackupManifest {
  readonly format: 1;
  readonly takenAt: string;
  readonly seconds: number;
  readonly rivulet: string;
  readonly natsServer: string;
  /** The settings fixed for the deployment, if known. */
  readonly deployment: unknown;
  /** In the order in which they were saved. */
  readonly streams: readonly BackupStream[];
}

const FORMAT = 1;
const MANIFEST = 'manifest.json';
const READ_BYTES = 256 * 1024;

/** Creates the folder; fatal BACKUP_EXISTS when it is not empty. */
export async function makeFolder(folder: string): Promise<void> {
  // It contains all events of users.
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const names = await readdir(folder);
  if (names.length === 0) return;
  const what = names.includes(MANIFEST) ? 'holds a backup' : 'is not empty';
  throw fatal('BACKUP_EXISTS', `${folder} ${what}`, { hint: 'name a folder that is new, or empty' });
}

/** One file, written piece by piece and made durable by `end`. */
export class BackupFile {
  private readonly hash = createHash('sha256');
  private bytes = 0;

  private constructor(
    private readonly name: string,
    private readonly handle: Awaited<ReturnType<typeof open>>,
  ) {}

  /** Replaces a file of that name: a stream may be saved again. */
  static async create(folder: string, stream: string): Promise<BackupFile> {
    const name = `${stream}.snapshot`;
    return new BackupFile(name, await open(join(folder, name), 'w', 0o600));
  }

  async write(piece: Uint8Array): Promise<void> {
    this.hash.update(piece);
    this.bytes += piece.length;
    await this.handle.writeFile(piece);
  }

  async end(): Promise<Pick<BackupStream, 'file' | 'bytes' | 'digest'>> {
    await this.handle.sync();
    await this.handle.close();
    return { file: this.name, bytes: this.bytes, digest: this.hash.digest('hex') };
  }

  async abandon(): Promise<void> {
    // The error that ended the backup is the one to report.
    await this.handle.close().catch(() => undefined);
  }
}

export async function writeManifest(folder: string, manifest: BackupManifest): Promise<void> {
  const text = JSON.stringify({ ...manifest, digest: digestOf(manifest) }, undefined, 2);
  const path = join(folder, MANIFEST);
  const handle = await open(`${path}.new`, 'w', 0o600);
  await handle.writeFile(`${text}\n`);
  await handle.sync();
  await handle.close();
  await rename(`${path}.new`, path);
}

/** Fatal BACKUP_MISSING, BACKUP_UNFINISHED, BACKUP_FORMAT or BACKUP_DAMAGED. */
export async function readManifest(folder: string): Promise<BackupManifest> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw fatal('BACKUP_MISSING', `there is no folder ${folder}`, { cause, hint: 'name the folder of a backup' });
  });
  if (!names.includes(MANIFEST)) {
    throw names.some((name) => name.endsWith('.snapshot'))
      ? fatal('BACKUP_UNFINISHED', `${folder} holds a backup that was interrupted: it has no ${MANIFEST}`, {
          hint: 'it cannot be restored; remove it, and use another',
        })
      : fatal('BACKUP_MISSING', `${folder} holds no backup: there is no ${MANIFEST}`, {
          hint: 'name the folder that rivulet backup has written',
        });
  }
  const { digest, ...manifest } = parsed(await readFile(join(folder, MANIFEST), 'utf8'), folder);
  if ((manifest.format as number) !== FORMAT) {
    throw fatal('BACKUP_FORMAT', `${folder} has format ${String(manifest.format)}, this build reads ${FORMAT}`, {
      hint: `restore it with the rivulet that has written it (${manifest.rivulet})`,
    });
  }
  if (digest !== digestOf(manifest)) throw damaged(folder, `${MANIFEST} is not as it was written`);
  return manifest;
}

function parsed(text: string, folder: string): BackupManifest & { readonly digest: string } {
  const found = storedJson<BackupManifest & { readonly digest: string }>(text, hasFields({}));
  if (found === undefined) throw damaged(folder, `${MANIFEST} is not what was written`);
  return found;
}

const digestOf = (manifest: BackupManifest): string =>
  createHash('sha256').update(JSON.stringify(manifest)).digest('hex');

/** The bytes of a stream, in pieces. */
export const piecesOf = (folder: string, { file }: BackupStream): AsyncIterable<Uint8Array> =>
  createReadStream(join(folder, file), { highWaterMark: READ_BYTES });

/** Reads all files; fatal BACKUP_DAMAGED when one differs from what was written. */
export async function verifyFiles(
  folder: string,
  { streams }: BackupManifest,
  onBytes: (bytes: number) => void,
): Promise<void> {
  for (const stream of streams) {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const piece of piecesOf(folder, stream)) {
        hash.update(piece);
        bytes += piece.length;
        onBytes(piece.length);
      }
    } catch (cause) {
      throw damaged(folder, `${stream.file} cannot be read`, cause);
    }
    if (bytes !== stream.bytes) throw damaged(folder, `${stream.file} has ${bytes} bytes, not ${stream.bytes}`);
    if (hash.digest('hex') !== stream.digest) throw damaged(folder, `${stream.file} is not as it was written`);
  }
}

const damaged = (folder: string, what: string, cause?: unknown): Error =>
  fatal('BACKUP_DAMAGED', `the backup in ${folder} is damaged: ${what}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'copy it again from where it came, or use another; nothing was changed',
  });

/** Removes the files of a failed backup. */
export async function removeFiles(folder: string, streams: readonly { readonly name: string }[]): Promise<void> {
  for (const { name } of streams) await rm(join(folder, `${name}.snapshot`), { force: true });
  await rm(join(folder, `${MANIFEST}.new`), { force: true });
}
