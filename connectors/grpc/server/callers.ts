/**
 * Who a client is, for its limits: the subject of its token; else the subject of its certificate; else its address, whatever its connections
 * (a proxy in front counts as one).
 */
import type { PeerCertificate } from 'node:tls';
import { addressGroup } from '../../facade/admission/address-group.js';

/** What of a call tells its client. */
export interface Caller {
  getPeer(): string;
  getAuthContext?(): { readonly sslPeerCertificate?: PeerCertificate };
}

export class Callers {
  private readonly byCall = new WeakMap<object, string>();
  /** To read a certificate, or an address, takes long beside a call; a connection does not change its client. */
  private readonly bySession = new WeakMap<object, string>();

  of = (call: Caller): string => {
    const subject = this.byCall.get(enteredAs(call));
    if (subject !== undefined) return subject;
    const session = sessionOf(call);
    if (session === undefined) return ofConnection(call);
    let client = this.bySession.get(session);
    if (client === undefined) this.bySession.set(session, (client = ofConnection(call)));
    return client;
  };

  /** Its token was found good. */
  recognise(call: Caller, subject: string): void {
    this.byCall.set(enteredAs(call), `token:${subject}`);
  }
}

function ofConnection(call: Caller): string {
  const certificate = call.getAuthContext?.().sslPeerCertificate;
  return certificate === undefined
    ? `address:${addressGroup(addressOf(call.getPeer()))}`
    : `certificate:${nameOf(certificate)}`;
}

/** A renewed certificate has the name of the old one. */
function nameOf({ subject, subjectaltname, fingerprint256 }: PeerCertificate): string {
  const parts = Object.entries(subject).map(([key, value]) => `${key}=${String(value)}`);
  return parts.join(',') || subjectaltname || fingerprint256;
}

/** `192.0.2.1:4711` and `::1:4711` (as grpc-js prints them) without the port. */
function addressOf(peer: string): string {
  const colon = peer.lastIndexOf(':');
  return colon < 0 ? peer : peer.slice(0, colon);
}

/** What a handler is given stands for the call that has come in. */
export const enteredAs = (call: object): { readonly stream?: { readonly session?: object } } =>
  (call as { readonly call?: object }).call ?? call;

/** The HTTP/2 session of a call, which grpc-js does not show; without it the client is looked up anew for each call. */
const sessionOf = (call: object): object | undefined => enteredAs(call).stream?.session;

/** What stands for the connection of a call. */
export const connectionOf = (call: object): object => sessionOf(call) ?? enteredAs(call);
