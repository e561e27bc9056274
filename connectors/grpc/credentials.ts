/** TLS from files, for the server and for the client. */
import type { SecureContextOptions } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { type ServerTls, usable, watchTls } from '../facade/tls/server-tls.js';
import { readAll, type WatchOptions } from '../facade/tls/watched-files.js';

/** PEM files; without `caPath`, Node's default authorities. */
export interface ClientTls {
  readonly caPath?: string;
  /** The client certificate; both or neither. */
  readonly certPath?: string;
  readonly keyPath?: string;
  /** The expected name in the server's certificate, if it differs from the address. */
  readonly serverName?: string;
}

export interface WatchedCredentials {
  readonly credentials: ServerCredentials;
  /** Stops watching the files. */
  readonly close: () => void;
}

/** From files that may be replaced: new connections use their current content. */
export async function serverCredentials(tls: ServerTls | undefined, watch: WatchOptions): Promise<WatchedCredentials> {
  if (tls === undefined) return { credentials: ServerCredentials.createInsecure(), close: () => undefined };
  let credentials: ReloadedCredentials | undefined;
  const close = await watchTls(tls, watch, (context) => {
    if (credentials === undefined) credentials = new ReloadedCredentials(tls.clientCaPath !== undefined, context);
    else credentials.replace(context);
  });
  return { credentials: credentials!, close };
}

/** Passes PEM files to grpc-js in a way that allows them to be replaced. */
class ReloadedCredentials extends ServerCredentials {
  constructor(requestCert: boolean, context: SecureContextOptions) {
    super({ requestCert, rejectUnauthorized: requestCert }, context);
  }

  replace(context: SecureContextOptions): void {
    this.updateSecureContextOptions(context);
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

export async function clientCredentials(tls: ClientTls | undefined): Promise<ChannelCredentials> {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  const [ca, cert, key] = await Promise.all([pemIf(tls.caPath), pemIf(tls.certPath), pemIf(tls.keyPath)]);
  return usable(tls.certPath ?? tls.caPath, () => ChannelCredentials.createSsl(ca, key, cert));
}

const pemIf = async (path: string | undefined): Promise<Buffer | null> =>
  path === undefined ? null : (await readAll([path], 'TLS_UNREADABLE'))[0]!;
