/** Reads the log of a nats-server while the server writes and rotates it. */
import { open, stat } from 'node:fs/promises';

/** 0 when there is no log. */
export const logSize = (logFile: string): Promise<number> =>
  stat(logFile).then(
    ({ size }) => size,
    () => 0,
  );

/** The text after `from`, at most its last `bytesMax`, and the offset at which it ends; no text while the log is being rotated. */
export async function logFrom(
  logFile: string,
  from: number,
  bytesMax: number,
): Promise<{ readonly text: string; readonly end: number }> {
  const end = await logSize(logFile);
  // Smaller than before: the log was rotated.
  const start = Math.max(end < from ? 0 : from, end - bytesMax);
  return { text: end <= start ? '' : await textBetween(logFile, start, end).catch(() => ''), end };
}

async function textBetween(logFile: string, start: number, end: number): Promise<string> {
  const handle = await open(logFile, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start);
    return buffer.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}
