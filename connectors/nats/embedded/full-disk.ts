/**
 * Detects a full disk under a nats-server. A stream whose write failed keeps the error and refuses all writes until the server restarts, also after
 * there is room again (measured with 2.15.1). So both must be detected: the full disk, and the room.
 */
import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { logFrom, logSize } from './server-log.js';

export interface DiskEvents {
  /** A write failed for lack of room. */
  readonly onFull: () => void;
  /** There is room again: the server must be restarted. */
  readonly onRoom: () => Promise<void>;
}

const LOOK_EVERY_MS = 1_000;
/** Enough for some blocks of some streams. */
const ROOM_BYTES_MIN = 16 * 1024 * 1024;
/** The most that is read of its log at a time; the server repeats the error as long as clients publish. */
const READ_BYTES_MAX = 64 * 1024;
const FULL = /no space left on device|disk quota exceeded/i;

/** Runs until the signal aborts; never rejects. The server logs that the disk is full, but only if it can: the log may be on the same disk. */
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
  // Rejects only when stopped.
  sleep(LOOK_EVERY_MS, true, { signal, ref: false }).catch(() => false);

const hasRoom = (directory: string): Promise<boolean> =>
  statfs(directory).then(
    ({ bavail, bsize }) => bavail * bsize >= ROOM_BYTES_MIN,
    () => false,
  );
