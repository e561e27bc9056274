import { utf8 } from '../../runtime/bytes.js';
import type { Log } from '../../runtime/ports.js';

/** Where a stream was just made, not every server of a cluster knows yet who takes its messages: nothing is stored then, and it is tried again. */
export async function published(log: Log, subject: string, text: string, expected?: number): Promise<number> {
  for (;;) {
    try {
      return await log.publish(subject, utf8(text), expected === undefined ? undefined : { expected });
    } catch (error) {
      if (!/^no stream takes /.test((error as Error).message)) throw error;
    }
  }
}
