/** TLS of what listens, from files that may be replaced while it runs. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { fatal } from '../../../runtime/contract/errors.js';
import { watchFiles, type WatchOptions } from './watched-files.js';

/** PEM files. */
export interface ServerTls {
  /** The certificate and what leads from it to a known authority. */
  readonly certPath: string;
  readonly keyPath: string;
  /** Authorities of clients; when given, who has no certificate of one of them may not ask (mTLS). */
  readonly clientCaPath?: string;
}

/**
 * Calls `use` with what the files hold now, and whenever they hold something else that works. Gives how to end that. Rejects with fatal
 * TLS_UNREADABLE or TLS_UNUSABLE.
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
      // A server would find out when it listens, and say less; or, later, take no connections any more.
      usable(certPath, () => createSecureContext(context));
      // A file without a certificate in it would be taken, and no client believed.
      if (ca !== undefined) usable(clientCaPath, () => new X509Certificate(ca));
      use(context);
    },
    watch,
  );
}

/** OpenSSL's own words say little; the path says more. */
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
