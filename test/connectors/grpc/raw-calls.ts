/** Calls on bare HTTP/2, for what no gRPC client would do. */
import { connect, type ClientHttp2Session, type IncomingHttpHeaders } from 'node:http2';
import { Metadata } from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import { readDetails } from '../../../connectors/grpc/server/status-details.js';

/** `window`: bytes of an answer that it takes before it has read any. */
export function connection(address: string, window = 65_535): ClientHttp2Session {
  const session = connect(`http://${address}`, { settings: { initialWindowSize: window } });
  session.on('error', () => undefined);
  onTestFinished(() => session.destroy());
  return session;
}

export interface Told {
  /** The number of the status. */
  readonly status: number;
  readonly reason: string | undefined;
  readonly requestId: string | undefined;
}

/** A call of which these bytes are sent, and then nothing; what it is told, once it is over. */
export async function sent(
  session: ClientHttp2Session,
  path: string,
  bytes: Buffer,
  headers = {},
  ends = false,
): Promise<Told> {
  const all = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...headers };
  const stream = session.request(all);
  let told: IncomingHttpHeaders = {};
  const hear = (some: IncomingHttpHeaders): void => void (told = { ...told, ...some });
  stream
    .on('response', hear)
    .on('trailers', hear)
    // As clients do: what is answered is over, whatever of it is not sent.
    .on('end', () => stream.close())
    .on('error', () => undefined);
  stream.resume();
  stream.write(bytes);
  if (ends) stream.end();
  // A turn later: Node hangs when a session is destroyed where one of its streams closes.
  await new Promise((resolve) => stream.once('close', () => setImmediate(resolve)));
  const details = Metadata.fromHttp2Headers(told);
  return { status: Number(told['grpc-status']), ...readDetails(details) };
}

/** The first bytes of a message that has `bytes`. */
export function announced(bytes: number, of = 0, flag = 0): Buffer {
  const head = Buffer.alloc(5 + of);
  head.writeUInt8(flag, 0);
  head.writeUInt32BE(bytes, 1);
  return head;
}
