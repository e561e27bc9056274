/** Maps thrown errors to refusals: our own errors, those of the rest of the node, and those of Fastify. */
import type { FastifyError } from 'fastify';
import { RivuletError } from '../../../runtime/contract/errors.js';
import { type ApiError, faultOf } from '../../facade/errors/fault.js';
import type { HttpLimits } from './limits.js';
import { Refused } from './problem.js';

export const malformed = (message: string): ApiError => ({
  code: 'INVALID_ARGUMENT',
  message,
  reason: 'MALFORMED_REQUEST',
});

/** Errors that Fastify makes itself. */
const FRAMEWORK: Readonly<Record<string, ApiError>> = {
  FST_ERR_CTP_INVALID_JSON_BODY: malformed('the body is not JSON: check its quotes and commas, and that it is UTF-8'),
  FST_ERR_CTP_EMPTY_JSON_BODY: malformed('the body is empty: send JSON, or leave the content-type out'),
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: malformed('the body is not as long as content-length says'),
  FST_ERR_BAD_URL: malformed('the path is not well escaped: write each byte of a special character as %XX'),
  FST_ERR_MAX_PARAM_LENGTH: malformed('the id in the path is too long'),
  ECONNRESET: { code: 'CANCELLED', message: 'the client left before its request was complete', reason: 'CLIENT_LEFT' },
};

const tooLong = (bytesMax: number): ApiError => ({
  ...malformed(`the body is too long: it may have ${bytesMax} bytes; send less at a time`),
  reason: 'REQUEST_TOO_LARGE',
});

const wrongType = (types: readonly string[]): ApiError => ({
  ...malformed(`this content-type is not taken here: send ${types.join(' or ')}`),
  reason: 'MEDIA_TYPE_NOT_TAKEN',
});

/** Statuses that differ from Fastify's. */
const STATUSES: Readonly<Record<string, number>> = { ECONNRESET: 499, FST_ERR_MAX_PARAM_LENGTH: 400 };

/** `types`: the content types that the route accepts. */
export function refusedBy(
  error: unknown,
  { bodyBytesMax }: Pick<HttpLimits, 'bodyBytesMax'>,
  types: readonly string[] = ['application/json'],
): Refused {
  if (error instanceof Refused) return error;
  if (error instanceof RivuletError) return new Refused(faultOf(error));
  const { code = '', statusCode = 500, message = '' } = error as Partial<FastifyError>;
  if (statusCode < 500) {
    const known =
      code === 'FST_ERR_CTP_BODY_TOO_LARGE'
        ? tooLong(bodyBytesMax)
        : code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE'
          ? wrongType(types)
          : FRAMEWORK[code];
    if (known !== undefined) return new Refused(known, STATUSES[code] ?? statusCode);
    if (code.startsWith('FST_')) return new Refused(malformed(message), statusCode);
  }
  return new Refused(faultOf(error));
}
