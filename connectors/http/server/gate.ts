/**
 * Who may ask. Looked at when the headers of a request are there, before anything of its body is read.
 *
 *   GATE-1  health is open to all: who probes has no token and no certificate. Such a one is told the status alone, and so is who calls us by a name
 *           that we have not
 *   GATE-2  where certificates are asked for, all else needs one; where tokens are, all else needs one that is good, but for the files of pages
 *   GATE-3  rate, requests at once and streams are counted per client by the admission that gRPC has too (admission.ts)
 *   GATE-4  a page of another site may not send anything: a browser would let it, with what the user's network may reach. Nor may one whose name
 *           leads to this machine all of a sudden (DNS rebinding) ask at all: on loopback we have no name but those of loopback, and of the allow-list
 */
import type { IncomingMessage } from 'node:http';
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
  /** Origins whose pages may ask. */
  readonly origins: ReadonlySet<string>;
  /** It listens on this machine alone: then by whatever other name it is called, somebody pretends. */
  readonly isLoopback: boolean;
}

/** Who may ask for a route: anybody; a browser that opens a page; clients that say who they are. */
export type Access = 'all' | 'page' | 'client';

const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export class Gate {
  private readonly admission: Admission<IncomingMessage>;
  private readonly knownHosts: ReadonlySet<string>;
  /** The last one that was found good: most requests have the same. */
  private usualHost = '';

  constructor(private readonly options: GateOptions) {
    this.knownHosts = new Set([...options.origins].map((origin) => new URL(origin).host));
    const { limits, clock, tokens } = options;
    this.admission = new Admission({ limits, clock, tokens, connectionOf: ({ socket }) => socket, peerOf });
  }

  clientOf(raw: IncomingMessage): string {
    return this.admission.clientOf(raw);
  }

  /** Why a request may not be, or nothing; without a promise unless its token has to be checked. */
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

  /** Whether it might ask for what is not open to all: what is open may say more to it. */
  async isKnown(raw: IncomingMessage): Promise<boolean> {
    const { isLoopback, asksForCertificates } = this.options;
    if (isLoopback && this.strangeName(raw) !== undefined) return false;
    if (asksForCertificates && !hasCertificate(raw)) return false;
    return this.admission.hasToken(raw, raw.headers.authorization);
  }

  /** Counts a request that takes time, until what it gives is called; throws Refused. */
  enter(raw: IncomingMessage): () => void {
    return this.entered(raw, this.admission.calls);
  }

  /** The same for a stream of answers. */
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
    // Names of hosts have no case; the allow-list's are in lower case, as URL has them.
    const plain = host.toLowerCase();
    const name = plain.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
    if (!isLoopback(name) && !this.knownHosts.has(plain)) return unknownHost(host);
    this.usualHost = host;
    return undefined;
  }

  private foreignPage({ headers: { origin, host = '' } }: IncomingMessage): Refused | undefined {
    if (origin === undefined || this.options.origins.has(origin)) return undefined;
    // Not the scheme: a proxy in front may be who speaks TLS.
    return URL.canParse(origin) && new URL(origin).host === host.toLowerCase() ? undefined : foreignOrigin(origin);
  }
}

/** Whether its connection has shown a certificate of one of our authorities. */
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
