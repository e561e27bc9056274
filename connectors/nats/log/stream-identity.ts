/**
 * Which stream this is, across backups.
 *
 * The server's own answer is the time at which it made the stream; a restored stream was made at its restore. What was taken in from the
 * original must still count there, up to the message at which the backup ends, and no further: behind it the two went different ways. A restore
 * therefore gives the stream an identity of its own, and tells of which streams it is a copy; both stand in its metadata.
 */
import type { StreamConfig } from '@nats-io/jetstream';
import type { StreamInfo, StreamOrigin } from '../../../runtime/contract/ports.js';

const IDENTITY = 'rivulet.identity';
const ORIGINS = 'rivulet.origins';
/** Of a stream that was restored again and again: more than anybody keeps old state of. */
const ORIGINS_MAX = 50;

export function identityOf(
  { metadata = {} }: Pick<StreamConfig, 'metadata'>,
  created: string,
): Required<Pick<StreamInfo, 'identity' | 'origins'>> {
  const { [IDENTITY]: identity = created, [ORIGINS]: origins = '[]' } = metadata;
  return { identity, origins: originsIn(origins) };
}

/** What was written over tells of none: state of an original is refused then, as that of another stream. */
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

/** Metadata of a stream that is restored from one with that identity, which ended at that message. */
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
