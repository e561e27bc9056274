import { isIPv4 } from 'node:net';

/** What foreign clients could do at an unprotected listener; absent when it is protected. */
export function exposureWarning(
  host: string,
  { authenticates, isSecure }: { authenticates: boolean; isSecure: boolean },
): string | undefined {
  if (isLoopback(host)) return undefined;
  if (!authenticates) {
    return 'whoever reaches this port can read recommendations and send events: ask for tokens (auth) or client certificates (tlsClientCaFile)';
  }
  return isSecure
    ? undefined
    : 'tokens travel here without TLS, for all on the way to read: set tlsCertFile and tlsKeyFile';
}

export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
