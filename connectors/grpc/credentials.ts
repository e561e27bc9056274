/** TLS from files, for the server and for the client. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { fatal } from '../../runtime/errors.js';
import { readAll, watchFiles, type WatchOptions } from './watched-files.js';

/** PEM files. */
export interface ServerTls {
  /** The certificate and what leads from it to a known authority. */
  readonly certPath: string;
  readonly keyPath: string;
  /** Authorities of clients; when given, a client without a certificate of one of them is turned away (mTLS). */
  readonly clientCaPath?: string;
}

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
  const { certPath, keyPath, clientCaPath } = tls;
  const paths = [certPath, keyPath, ...(clientCaPath === undefined ? [] : [clientCaPath])];
  let credentials: ReloadedCredentials | undefined;
  const close = await watchFiles(
    paths,
    'GRPC_TLS_UNREADABLE',
    ([cert, key, ca]) => {
      const context: SecureContextOptions = { cert: cert!, key: key!, ...(ca === undefined ? {} : { ca }) };
      // grpc-js would find out when it listens, and say less; or, later, take no connections any more.
      usable(certPath, () => createSecureContext(context));
      // A file without a certificate in it would be taken, and no client believed.
      if (ca !== undefined) usable(clientCaPath, () => new X509Certificate(ca));
      if (credentials === undefined) credentials = new ReloadedCredentials(ca !== undefined, context);
      else credentials.replace(context);
    },
    watch,
  );
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
  path === undefined ? null : (await readAll([path], 'GRPC_TLS_UNREADABLE'))[0]!;

/** OpenSSL's own words say little; the path says more. */
function usable<T>(path: string | undefined, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw fatal('GRPC_TLS_UNUSABLE', `the TLS files at ${path ?? 'the given paths'} do not work`, {
      cause,
      hint: 'certificate and key must be PEM, unencrypted, and belong together',
    });
  }
}
