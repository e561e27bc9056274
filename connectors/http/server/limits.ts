/** The bounds of the HTTP façade, each with its default. */
import { CLIENT_LIMITS, type ClientLimits } from '../../facade/admission/client-limits.js';

export interface HttpLimits extends ClientLimits {
  /** Bytes of a request's body. */
  readonly bodyBytesMax: number;
  /** Bytes of a request's line and headers. */
  readonly headerBytesMax: number;
  /** How long a request may take to be complete. */
  readonly requestMsMax: number;
  /** A connection without a request is closed after this long. */
  readonly keepAliveMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  ...CLIENT_LIMITS,
  bodyBytesMax: 4 * 2 ** 20,
  headerBytesMax: 16 * 2 ** 10,
  requestMsMax: 30_000,
  keepAliveMs: 72_000,
};
