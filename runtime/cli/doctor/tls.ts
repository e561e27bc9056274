/** Doctor: TLS. Anybody's certificate will do to ask for health; whose it is says what else may be asked. */
import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';
import type { Place } from '../../../connectors/facade/authority.js';

export interface Certificate {
  readonly fingerprint: string;
  /** By an authority that Node knows, for the host that was asked. */
  readonly isTrusted: boolean;
}

export type Secured =
  | { readonly socket: TLSSocket; readonly certificate: Certificate }
  | { readonly error: string; readonly speaksTls: boolean };

/** A connection to whoever is there. */
export function connectTls({ host, port }: Place, protocols: readonly string[], msMax: number): Promise<Secured> {
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

/** It refused in the words of TLS: without a certificate of the client, or for the version. */
const speaksTls = ({ code = '' }: NodeJS.ErrnoException): boolean => /^ERR_SSL_.*ALERT/.test(code);

/** Whether it is the one that a node with this file shows, or one that anybody would believe. A file that cannot be read is no proof. */
export function isOwn({ fingerprint, isTrusted }: Certificate, certFile: string | undefined): boolean {
  if (isTrusted) return true;
  if (certFile === undefined) return false;
  try {
    return new X509Certificate(readFileSync(certFile)).fingerprint256 === fingerprint;
  } catch {
    return false;
  }
}
