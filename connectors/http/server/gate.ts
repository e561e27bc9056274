/**
 * Access control of requests, applied to the headers before any of the body is read.
 *
 *   GATE-1  health is open to all: probes have no token and no certificate. Such a caller gets only the status, and so does one that uses a host name
 *           which is not ours
 *   GATE-2  where certificates are required, everything else needs one; where tokens are, everything else needs a valid one, except the files of pages
 *   GATE-3  rate, concurrent requests and streams are counted per client by the same admission as in gRPC (admission.ts); a request with a body
 *           counts from its headers on
 *   GATE-4  a page of another site may not send anything: a browser would let it, from within the user's network. A page whose host name suddenly
 *           resolves to this machine (DNS rebinding) may not even read: on loopback only the host names of loopback and of the allow-list are accepted
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '../../../runtime/contract/ports.js';
import { Admission, type Peer } from '../../facade/admission/admission.js';
import type { ClientLimit } from '../../facade/admission/client-limit.js';
import { isLoopback } from '../../facade/admission/exposure.js';
import type { ApiError } from '../../facade/errors/fault.js';
import type { TokenCheck } from '../../facade/admission/token-check.js';
import type { HttpLimits } from './limits.js';
import { Refused } from './problem.js';

export interface GateOptions {
  readonly limits: HttpLimits;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly tokens: TokenCheck | undefined;
  readonly asksForCertificates: boolean;
  /** Origins whose pages may send requests. */
  readonly origins: ReadonlySet<string>;
  /** It listens on this machine only: any other host name is then an attack or a mistake. */
  readonly isLoopback: boolean;
}

/** Who may use a route: all; a browser that opens a page; authenticated clients. */
export type Access = 'all' | 'page' | 'client';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export class Gate {
  private readonly admission: Admission<IncomingMessage>;
  private readonly knownHosts: ReadonlySet<string>;
  /** The last accepted one: most requests have the same. */
  private usualHost = '';

  constructor(private readonly options: GateOptions) {
    this.knownHosts = new Set([...options.origins].map((origin) => new URL(origin).host));
    const { limits, clock, tokens } = options;
    this.admission = new Admission({ limits, clock, tokens, connectionOf: ({ socket }) => socket, peerOf });
  }

  clientOf(raw: IncomingMessage): string {
    return this.admission.clientOf(raw);
  }

  /** Why a request is refused, if it is; returns a promise only if the token must be verified. */
  check({ raw }: FastifyRequest, access: Access): Refused | undefined | Promise<Refused | undefined> {
    if (!SAFE.has(raw.method!)) {
      const foreign = this.foreignPage(raw);
      if (foreign !== undefined) return foreign;
    }
    if (access === 'all') return undefined;
    const stranger = this.options.isLoopback ? this.strangeName(raw) : undefined;
    if (stranger !== undefined) return stranger;
    if (this.options.asksForCertificates && !hasCertificate(raw)) return NO_CERTIFICATE;
    if (access === 'page') return refusedIf(this.admission.checkRate(raw));
    const fault = this.admission.check(raw, raw.headers.authorization);
    return fault instanceof Promise ? fault.then(refusedIf) : refusedIf(fault);
  }

  /** Whether the caller could use a protected route: an open one may then return more. */
  async isKnown(raw: IncomingMessage): Promise<boolean> {
    const { isLoopback, asksForCertificates } = this.options;
    if (isLoopback && this.strangeName(raw) !== undefined) return false;
    if (asksForCertificates && !hasCertificate(raw)) return false;
    return this.admission.hasToken(raw, raw.headers.authorization);
  }

  /** Counts a request with a body from its headers until its response has ended: the body is in memory before the handler runs. */
  enterBody(raw: IncomingMessage, response: ServerResponse): Refused | undefined {
    // The client may have disconnected while its token was verified.
    if (SAFE.has(raw.method!) || response.destroyed) return undefined;
    const { calls } = this.admission;
    const refused = refusedIf(this.admission.checkNumber(raw, calls));
    if (refused === undefined) response.once('close', calls.enter(raw));
    return refused;
  }

  /** Counts a request that takes time, until the returned function is called; throws Refused. */
  enter(raw: IncomingMessage): () => void {
    return this.entered(raw, this.admission.calls);
  }

  /** Counts a request while the work runs; throws Refused. */
  async during<T>(raw: IncomingMessage, work: () => Promise<T>): Promise<T> {
    const leave = this.enter(raw);
    try {
      return await work();
    } finally {
      leave();
    }
  }

  /** The same for a response stream. */
  enterStream(raw: IncomingMessage): () => void {
    return this.entered(raw, this.admission.streams);
  }

  private entered(raw: IncomingMessage, among: ClientLimit<IncomingMessage>): () => void {
    const fault = this.admission.checkNumber(raw, among);
    if (fault !== undefined) throw new Refused(fault);
    return among.enter(raw);
  }

  private strangeName({ headers: { host = '' } }: IncomingMessage): Refused | undefined {
    if (host === '' || host === this.usualHost) return undefined;
    // Host names are case-insensitive; the allow-list is in lower case, as URL normalises it.
    const plain = host.toLowerCase();
    const name = plain.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    if (!isLoopback(name) && !this.knownHosts.has(plain)) return unknownHost(host);
    this.usualHost = host;
    return undefined;
  }

  private foreignPage({ headers: { origin, host = '' } }: IncomingMessage): Refused | undefined {
    if (origin === undefined || this.options.origins.has(origin)) return undefined;
    // The scheme is not compared: TLS may end at a proxy.
    return URL.canParse(origin) && new URL(origin).host === host.toLowerCase() ? undefined : foreignOrigin(origin);
  }
}

/** Whether the connection presented a certificate of a configured authority. */
const hasCertificate = ({ socket }: IncomingMessage): boolean => (socket as Partial<TLSSocket>).authorized === true;

const peerOf = (raw: IncomingMessage): Peer => ({
  address: raw.socket.remoteAddress ?? '',
  certificate: hasCertificate(raw) ? (raw.socket as TLSSocket).getPeerCertificate() : undefined,
});

const refusedIf = (fault: ApiError | undefined): Refused | undefined => fault && new Refused(fault);

const NO_CERTIFICATE = new Refused({
  code: 'UNAUTHENTICATED',
  message: 'this node asks for a client certificate of one of its authorities: connect with one',
  reason: 'CERTIFICATE_MISSING',
});

const foreignOrigin = (origin: string): Refused =>
  new Refused({
    code: 'PERMISSION_DENIED',
    message: `pages of ${origin.slice(0, 200)} may not send anything here: name it in the setting httpCorsOrigins`,
    reason: 'ORIGIN_NOT_ALLOWED',
    metadata: { setting: 'httpCorsOrigins' },
  });

const unknownHost = (host: string): Refused =>
  new Refused({
    code: 'PERMISSION_DENIED',
    message: `this node listens on loopback alone, and is not ${host.slice(0, 200)}: name https://${host.slice(0, 200)} in the setting httpCorsOrigins, if a proxy calls it so`,
    reason: 'HOST_NOT_KNOWN',
    metadata: { setting: 'httpCorsOrigins' },
  });
