/**
 * Admission of calls, for both façades. A façade passes the headers of a call (gRPC) or request (HTTP) before it reads any of the body, and maps a
 * refusal to its protocol.
 *
 *   ADMISSION-1  the order is identity, token, rate, number of calls; size and time are checked later, where the body is read
 *   ADMISSION-2  a client is the subject of its token; else the subject of its certificate; else its address (of IPv6, its /64), over all its
 *                connections
 *   ADMISSION-3  a bad token does not count against the rate limit of its address
 */
import type { PeerCertificate } from 'node:tls';
import type { Clock } from '../../../runtime/contract/ports.js';
import { type ApiError, tooFast, tooManyCalls, tooManyStreams } from '../errors/fault.js';
import { addressGroup } from './address-group.js';
import { ClientLimit } from './client-limit.js';
import type { ClientLimits } from './client-limits.js';
import { RateLimit } from './rate-limit.js';
import type { Subject, TokenCheck } from './token-check.js';

/** The other end of a connection. */
export interface Peer {
  readonly address: string;
  /** Only one that a configured authority has signed. */
  readonly certificate: PeerCertificate | undefined;
}

/** The facts that a façade has about its calls. */
export interface CallFacts<C> {
  /** A connection belongs to one client. */
  connectionOf(call: C): object;
  peerOf(call: C): Peer;
}

export interface AdmissionOptions<C> extends CallFacts<C> {
  readonly limits: Pick<ClientLimits, 'callsPerClient' | 'streamsPerClient' | 'callsPerSecond' | 'callBurst'>;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Absent: no tokens are required. */
  readonly tokens: TokenCheck | undefined;
}

export class Admission<C extends object> {
  /** Unary calls and requests that take time. */
  readonly calls: ClientLimit<C>;
  /** Streams of responses. */
  readonly streams: ClientLimit<C>;
  /** Absent: no limit. */
  private readonly rate: RateLimit | undefined;
  private readonly tokens: TokenCheck | undefined;
  private readonly byToken = new WeakMap<C, string>();
  /** To read a certificate or an address is slow compared with a call. */
  private readonly byConnection = new WeakMap<object, string>();

  constructor(private readonly options: AdmissionOptions<C>) {
    const { callsPerClient, streamsPerClient, callsPerSecond, callBurst } = options.limits;
    this.tokens = options.tokens;
    this.calls = new ClientLimit(callsPerClient, this.clientOf);
    this.streams = new ClientLimit(streamsPerClient, this.clientOf);
    this.rate = callsPerSecond === 0 ? undefined : new RateLimit(callsPerSecond, callBurst, options.clock);
  }

  readonly clientOf = (call: C): string => {
    const subject = this.tokens && this.byToken.get(call);
    if (subject !== undefined) return subject;
    const connection = this.options.connectionOf(call);
    let client = this.byConnection.get(connection);
    if (client === undefined) this.byConnection.set(connection, (client = nameOf(this.options.peerOf(call))));
    return client;
  };

  /**
   * Why a call is refused for its token, its rate, or the number of calls `among` which it counts; returns a promise only if its token must be
   * verified. `authorization`: the header.
   */
  check(call: C, authorization: unknown, among?: ClientLimit<C>): ApiError | undefined | Promise<ApiError | undefined> {
    const found = this.subjectOf(call, authorization);
    if (!(found instanceof Promise)) return this.admit(call, found, among);
    return found.then((checked) => this.admit(call, checked, among));
  }

  /** The same where no token is required. */
  checkRate(call: C, among?: ClientLimit<C>): ApiError | undefined {
    if (this.rate !== undefined) {
      const client = this.clientOf(call);
      const waitMs = this.rate.take(client);
      if (waitMs > 0) return tooFast(this.rate.perSecond, client, waitMs);
    }
    return among && this.checkNumber(call, among);
  }

  /** Why the client may not start another call. */
  checkNumber(call: C, among: ClientLimit<C>): ApiError | undefined {
    if (among.admits(call)) return undefined;
    const tooMany = among === this.streams ? tooManyStreams : tooManyCalls;
    return tooMany(among.callsMax, this.clientOf(call));
  }

  /** Whether the call has a token that `check` accepts. */
  async hasToken(call: C, authorization: unknown): Promise<boolean> {
    const found = await this.subjectOf(call, authorization);
    return found === undefined || 'subject' in found;
  }

  /** `undefined`: no token is required. */
  private subjectOf(call: C, authorization: unknown): Subject | ApiError | undefined | Promise<Subject | ApiError> {
    return this.tokens?.known(authorization) ?? this.tokens?.check(authorization, this.options.connectionOf(call));
  }

  private admit(
    call: C,
    found: Subject | ApiError | undefined,
    among: ClientLimit<C> | undefined,
  ): ApiError | undefined {
    if (found !== undefined) {
      if (!('subject' in found)) return found;
      this.byToken.set(call, `token:${found.subject}`);
    }
    return this.checkRate(call, among);
  }
}

function nameOf({ address, certificate }: Peer): string {
  if (certificate === undefined) return `address:${addressGroup(address)}`;
  // A renewed certificate has the same name as the old one.
  const { subject, subjectaltname, fingerprint256 } = certificate;
  const parts = Object.entries(subject).map(([key, value]) => `${key}=${String(value)}`);
  return `certificate:${parts.join(',') || subjectaltname || fingerprint256}`;
}
