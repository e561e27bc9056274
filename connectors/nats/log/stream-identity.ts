/**
 * The identity of a stream, across backups.
 *
 * The server identifies a stream by its creation time; a restored stream was created at its restore. State built from the original must still be
 * valid for it, up to the message at which the backup ends, and no further: after that the two diverge. A restore therefore gives the stream a new
 * identity, and records the streams that it is a copy of; both are in its metadata.
 */
import type { StreamConfig } from '@nats-io/jetstream';
import type { StreamInfo, StreamOrigin } from '../../../runtime/contract/ports.js';

const IDENTITY = 'rivulet.identity';
const ORIGINS = 'rivulet.origins';
/** For streams restored again and again: older state than this is not retained anywhere. */
const ORIGINS_MAX = 50;

export function identityOf(
  { metadata = {} }: Pick<StreamConfig, 'metadata'>,
  created: string,
): Required<Pick<StreamInfo, 'identity' | 'origins'>> {
  const { [IDENTITY]: identity = created, [ORIGINS]: origins = '[]' } = metadata;
  return { identity, origins: originsIn(origins) };
}

/** Overwritten metadata names no origins: state of an original is then refused, like that of another stream. */
function originsIn(text: string): StreamOrigin[] {
  const isOrigin = (one: Partial<StreamOrigin> | null): boolean =>
    typeof one?.identity === 'string' && Number.isSafeInteger(one.upTo);
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) && found.every(isOrigin) ? (found as StreamOrigin[]) : [];
  } catch {
    return [];
  }
}

/** Metadata of a stream that is restored from one with that identity, whose backup ended at that message. */
export function restoredMetadata(
  { metadata = {} }: Pick<StreamConfig, 'metadata'>,
  created: string,
  upTo: number,
  identity: string,
): Record<string, string> {
  const before = identityOf({ metadata }, created);
  const origins = [...before.origins, { identity: before.identity, upTo }].slice(-ORIGINS_MAX);
  return { ...metadata, [IDENTITY]: identity, [ORIGINS]: JSON.stringify(origins) };
}
