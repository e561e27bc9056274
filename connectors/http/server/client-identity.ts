/** Who asks, for its limits: the subject of its token, else of its certificate, else its address (of IPv6, its /64). */
import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { addressGroup } from '../../facade/admission/address-group.js';

/** Tokens are looked at when a request begins; what they name is kept here. */
const subjects = new WeakMap<IncomingMessage, string>();
/** To read a certificate takes long beside a request; a connection does not change its client. */
const byConnection = new WeakMap<object, string>();

export function clientOf(request: IncomingMessage): string {
  const subject = subjects.get(request);
  if (subject !== undefined) return subject;
  const { socket } = request;
  let client = byConnection.get(socket);
  if (client === undefined) byConnection.set(socket, (client = ofConnection(request)));
  return client;
}

/** Its token was found good. */
export function recognise(request: IncomingMessage, subject: string): void {
  subjects.set(request, `token:${subject}`);
}

/** Whether its connection has shown a certificate of one of our authorities. */
export const hasCertificate = ({ socket }: IncomingMessage): boolean =>
  (socket as Partial<TLSSocket>).authorized === true;

function ofConnection(request: IncomingMessage): string {
  const socket = request.socket as TLSSocket;
  if (!hasCertificate(request)) return `address:${addressGroup(socket.remoteAddress ?? '')}`;
  return `certificate:${nameOf(socket.getPeerCertificate())}`;
}

/** A renewed certificate has the name of the old one. */
function nameOf({ subject, subjectaltname, fingerprint256 }: PeerCertificate): string {
  const parts = Object.entries(subject).map(([key, value]) => `${key}=${String(value)}`);
  return parts.join(',') || subjectaltname || fingerprint256;
}
