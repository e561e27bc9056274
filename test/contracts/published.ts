import { utf8 } from '../../runtime/frames/bytes.js';
import type { Log } from '../../runtime/contract/ports.js';
import { eventually } from '../support/eventually.js';

/** Where a stream was just made, not every server of a cluster knows yet who takes its messages: nothing is stored then, and it is tried again. */
export async function published(log: Log, subject: string, text: string, expected?: number): Promise<number> {
  const options = expected === undefined ? undefined : { expected };
  const outcome = await eventually(() =>
    log.publish(subject, utf8(text), options).catch((error: Error) => {
      if (/^no stream accepts /.test(error.message)) throw error;
      return error;
    }),
  );
  if (outcome instanceof Error) throw outcome;
  return outcome;
}
