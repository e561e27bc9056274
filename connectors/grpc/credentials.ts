/** TLS from files, for the server and for the client. */
import type { SecureContextOptions } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { type ServerTls, usable, watchTls } from '../facade/tls/server-tls.js';
import { readAll, type WatchOptions } from '../facade/tls/watched-files.js';

/** PEM files; without `caPath`, the authorities that Node knows. */
export interface ClientTls {
  readonly caPath?: string;
  /** Both or neither: what the client shows of itself. */
  readonly certPath?: string;
  readonly keyPath?: string;
  /** The name in the server's certificate, when it is not the one that is connected to. */
  readonly serverName?: string;
}

export interface WatchedCredentials {
  readonly credentials: ServerCredentials;
  /** Ends the watching of files. */
  readonly close: () => void;
}

/** Of files that may be replaced: new connections are made with what they hold by then. */
export async function serverCredentials(tls: ServerTls | undefined, watch: WatchOptions): Promise<WatchedCredentials> {
  if (tls === undefined) return { credentials: ServerCredentials.createInsecure(), close: () => undefined };
  let credentials: ReloadedCredentials | undefined;
  const close = await watchTls(tls, watch, (context) => {
    if (credentials === undefined) credentials = new ReloadedCredentials(tls.clientCaPath !== undefined, context);
    else credentials.replace(context);
  });
  return { credentials: credentials!, close };
}

/** What grpc-js makes of PEM files, in a way that lets them be replaced. */
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
