/**
 * A full disk under a nats-server. A stream that could not be written keeps the error and refuses everything until the server is restarted, also
 * when there is room again (asked of 2.15.1): somebody must notice both.
 */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { logFrom, logSize } from './server-log.js';

export interface DiskEvents {
  /** It could not write for want of room. */
  readonly onFull: () => void;
  /** There is room again: restart it. */
  readonly onRoom: () => Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
/** Some blocks of some streams. */
const ROOM_BYTES_MIN = 16 * 1024 * 1024;
/** Of its log at a time; it repeats itself as long as anybody publishes. */
const READ_BYTES_MAX = 64 * 1024;
const FULL = /no space left on device|disk quota exceeded/i;

/** Until the signal aborts; never rejects. The server says in its log that the disk is full, and as well as it can: the log may be on the same disk. */
export async function watchDisk(
  { logFile, storeDir }: { readonly logFile: string; readonly storeDir: string },
  { onFull, onRoom }: DiskEvents,
  signal: AbortSignal,
): Promise<void> {
  let read = await logSize(logFile);
  let full = false;
  while (await pause(signal)) {
    const { text, end } = await logFrom(logFile, read, READ_BYTES_MAX);
    read = end;
    if (!full && FULL.test(text)) {
      full = true;
      onFull();
    }
    if (!full || !(await hasRoom(storeDir))) continue;
    await onRoom();
    read = await logSize(logFile);
    full = false;
  }
}

const pause = (signal: AbortSignal): Promise<boolean> =>
  // Rejects only when it is stopped.
  sleep(LOOK_EVERY_MS, true, { signal, ref: false }).catch(() => false);

const hasRoom = (directory: string): Promise<boolean> =>
  statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize >= ROOM_BYTES_MIN,
    () => false,
  );
