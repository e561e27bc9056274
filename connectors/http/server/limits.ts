/** The limits of the HTTP façade, with their defaults. */
import { CLIENT_LIMITS, type ClientLimits } from '../../facade/admission/client-limits.js';

export interface HttpLimits extends ClientLimits {
  /** Size of a request body. */
  readonly bodyBytesMax: number;
  /** Size of the request line and headers. */
  readonly headerBytesMax: number;
  /** The time within which a request must be complete. */
  readonly requestMsMax: number;
  /** A connection without a request is closed after this time. */
  readonly keepAliveMs: number;
}

export const HTTP_LIMITS: HttpLimits = {
  ...CLIENT_LIMITS,
  bodyBytesMax: 4 * 2 ** 20,
  headerBytesMax: 16 * 2 ** 10,
  requestMsMax: 30_000,
  keepAliveMs: 72_000,
};
