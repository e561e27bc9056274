/** Doctor: TLS. A health check accepts any certificate; further requests depend on whose it is. */
import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import type { Address } from '../../../connectors/facade/address.js';

export interface Certificate {
  readonly fingerprint: string;
  /** Issued for the requested host by an authority that Node trusts. */
  readonly isTrusted: boolean;
}

export type Secured =
  | { readonly socket: TLSSocket; readonly certificate: Certificate }
  | { readonly error: string; readonly speaksTls: boolean };

/** A connection to any TLS server at this address. */
export function connectTls({ host, port }: Address, protocols: readonly string[], msMax: number): Promise<Secured> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, ALPNProtocols: [...protocols], rejectUnauthorized: false });
    const fail = (error: string, speaksTls: boolean): void => {
      resolve({ error, speaksTls });
      socket.destroy();
    };
    socket.setTimeout(msMax, () => fail(`no answer within ${msMax / 1000} s`, false));
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.message, speaksTls(error)));
    socket.once('close', () => fail('it closes the connection', false));
    socket.once('secureConnect', () => {
      const fingerprint = socket.getPeerX509Certificate()?.fingerprint256 ?? '';
      resolve({ socket, certificate: { fingerprint, isTrusted: socket.authorized } });
    });
  });
}

/** It refused with a TLS alert: a client certificate is missing, or the version is not supported. */
const speaksTls = ({ code = '' }: NodeJS.ErrnoException): boolean => /^ERR_SSL_.*ALERT/.test(code);

/** Whether it is the certificate in this file, or a trusted one. A file that cannot be read proves nothing. */
export function isOwn({ fingerprint, isTrusted }: Certificate, certFile: string | undefined): boolean {
  if (isTrusted) return true;
  if (certFile === undefined) return false;
  try {
    return new X509Certificate(readFileSync(certFile)).fingerprint256 === fingerprint;
  } catch {
    return false;
  }
}
