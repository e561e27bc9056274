/** TLS for listeners, from files that may be replaced while the node runs. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { fatal } from '../../../runtime/contract/errors.js';
import { watchFiles, type WatchOptions } from './watched-files.js';

/** PEM files. */
export interface ServerTls {
  /** The certificate and its chain to a known authority. */
  readonly certPath: string;
  readonly keyPath: string;
  /** Authorities of clients; when set, a client without a certificate from one of them is refused (mTLS). */
  readonly clientCaPath?: string;
}

/**
 * Calls `use` with the contents of the files, and again whenever they change to another usable set. Returns the function that ends this. Rejects with
 * fatal TLS_UNREADABLE or TLS_UNUSABLE.
 */
export async function watchTls(
  { certPath, keyPath, clientCaPath }: ServerTls,
  watch: WatchOptions,
  use: (context: SecureContextOptions) => void,
): Promise<() => void> {
  const paths = [certPath, keyPath, ...(clientCaPath === undefined ? [] : [clientCaPath])];
  return watchFiles(
    paths,
    'TLS_UNREADABLE',
    ([cert, key, ca]) => {
      const context: SecureContextOptions = { cert: cert!, key: key!, ...(ca === undefined ? {} : { ca }) };
      // Otherwise the error would appear only at listen, with less detail; or later, as refused connections.
      usable(certPath, () => createSecureContext(context));
      // A file without a certificate would be accepted, and every client refused.
      if (ca !== undefined) usable(clientCaPath, () => new X509Certificate(ca));
      use(context);
    },
    watch,
  );
}

/** OpenSSL's messages are terse; the path explains more. */
export function usable<T>(path: string | undefined, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw fatal('TLS_UNUSABLE', `the TLS files at ${path ?? 'the given paths'} do not work`, {
      cause,
      hint: 'certificate and key must be PEM, unencrypted, and belong together',
    });
  }
}
