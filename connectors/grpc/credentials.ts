/** TLS from files, for the server and for the client. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { fatal } from '../../runtime/errors.js';

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

export async function serverCredentials(tls: ServerTls | undefined): Promise<ServerCredentials> {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const [cert, key, ca] = await Promise.all([pem(tls.certPath), pem(tls.keyPath), pemIf(tls.clientCaPath)]);
  return usable(tls.certPath, () => {
    // grpc-js would find out when it listens, and say less.
    createSecureContext({ cert, key, ...(ca === null ? {} : { ca }) });
    return ServerCredentials.createSsl(ca, [{ cert_chain: cert, private_key: key }], ca !== null);
  });
}

export async function clientCredentials(tls: ClientTls | undefined): Promise<ChannelCredentials> {
  if (tls === undefined) return ChannelCredentials.createInsecure();
  const [ca, cert, key] = await Promise.all([pemIf(tls.caPath), pemIf(tls.certPath), pemIf(tls.keyPath)]);
  return usable(tls.certPath ?? tls.caPath, () => ChannelCredentials.createSsl(ca, key, cert));
}

const pemIf = async (path: string | undefined): Promise<Buffer | null> => (path === undefined ? null : await pem(path));

async function pem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw fatal('GRPC_TLS_UNREADABLE', `the TLS file ${path} cannot be read`, {
      cause,
      hint: 'check the path and who may read it',
    });
  }
}

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
