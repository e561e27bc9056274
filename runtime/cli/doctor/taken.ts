/** Doctor: a port with another listener than this configuration expects. It never suggests to stop a healthy node. */
import { authorityOf, type Address } from '../../../connectors/facade/address.js';
import { broken, type Finding, warning } from './finding.js';
import { bindError } from '../../../connectors/facade/listening.js';
import type { Listener } from './listener.js';
import { type Certificate, isOwn } from './tls.js';

export interface Facade {
  readonly kind: 'grpc' | 'http';
  /** The setting that chooses its port. */
  readonly choose: string;
}

export const GRPC: Facade = { kind: 'grpc', choose: '--grpc-port or RIVULET_GRPC_PORT' };
export const HTTP: Facade = { kind: 'http', choose: '--http-port or RIVULET_HTTP_PORT' };

const NAMES = { grpc: 'gRPC', http: 'HTTP' } as const;

export interface OwnSettings {
  readonly certFile?: string | undefined;
  /** Of the node that runs on the data directory. */
  readonly natsUrl?: string | undefined;
}

/** `why`: the error of listening there. */
export function takenFinding(
  place: Address,
  why: NodeJS.ErrnoException,
  listener: Listener,
  facade: Facade,
  { certFile, natsUrl }: OwnSettings,
): Finding {
  const address = authorityOf(place);
  const another = `choose another port with ${facade.choose}`;
  switch (listener.kind) {
    case 'grpc':
    case 'http':
      return warning(
        `${address} is the ${NAMES[listener.kind]} port of a node, and this configuration says that it is for ${NAMES[facade.kind]}`,
        `ask with the settings that the node was started with; for a second node, ${another}`,
      );
    case 'nats':
      return natsUrl?.endsWith(`:${place.port}`) === true
        ? warning(`${address} is the NATS of the node that runs on this data directory`, another)
        : warning(`a nats-server listens on ${address}; it may be that of a node`, another);
    case 'nobody':
      return nobodyFinding(place, why, listener.saw, facade);
    case 'other':
      return broken(`another program listens on ${address}: ${listener.saw}`, `stop it, or ${another}`);
    case 'unknown':
      return unknownFinding(place, listener, another, certFile);
  }
}

function nobodyFinding(place: Address, why: NodeJS.ErrnoException, saw: string, facade: Facade): Finding {
  if (why.code !== 'EADDRINUSE') {
    const { message, hint } = bindError(facade.kind, why, place);
    return broken(message, hint ?? '');
  }
  return broken(
    `${authorityOf(place)} is taken, and takes no connections: ${saw}`,
    `see whose it is: ss -tnap 'sport = :${place.port}'; or choose another port with ${facade.choose}`,
  );
}

function unknownFinding(
  place: Address,
  { saw, tls }: Extract<Listener, { readonly kind: 'unknown' }>,
  another: string,
  certFile: string | undefined,
): Finding {
  const address = authorityOf(place);
  // The owner of the certificate's key is the node, or a proxy in front of it.
  if (tls?.certificate !== undefined && isOwn(tls.certificate, certFile)) {
    return warning(
      `what listens on ${address} shows the certificate that it should, and does not tell how it is: ${saw}`,
      'where clients need certificates (tlsClientCaFile), ask it with one: rivulet get USER --tls-ca FILE --tls-cert FILE --tls-key FILE; else see the log of the node',
    );
  }
  const fix = `see whose it is: ss -ltnp 'sport = :${place.port}'; if it is a node of yours, see its log and ask with its settings and certificates; otherwise ${another}`;
  const message = `something listens on ${address}, and whether it is a node cannot be told: ${saw}`;
  return tls === undefined ? broken(message, fix) : warning(message, fix);
}

/** For a node that responds: compares its certificate, or the lack of one, with this configuration. */
export function certificateFindings(
  place: Address,
  certificate: Certificate | undefined,
  certFile: string | undefined,
): Finding[] {
  const address = authorityOf(place);
  if (certificate === undefined) {
    if (certFile === undefined) return [];
    return [
      warning(
        `the node on ${address} listens without TLS, and this configuration says with`,
        'ask with the settings that the node was started with, or start it again with these',
      ),
    ];
  }
  if (isOwn(certificate, certFile)) return [];
  const said =
    certFile === undefined
      ? 'this configuration names none (tlsCertFile)'
      : `it is not the one in ${certFile}, nor of an authority that is known here`;
  return [
    warning(
      `the node on ${address} listens with TLS, and whose certificate it shows is not known: ${said}`,
      'ask with the settings that the node was started with; where the file was just replaced, the node takes it within reloadSeconds',
    ),
  ];
}
