/** Decodes and validates requests. */
import { type DescMessage, fromBinary, type MessageShape } from '@bufbuild/protobuf';
import type { FieldViolation } from '../../facade/errors/fault.js';
import { type ApiError, invalidFields } from '../../facade/errors/fault.js';
import { malformed } from '../server/status-details.js';

export type Reading<T> = { readonly query: T } | { readonly fault: ApiError };

/** Decodes a message and passes it to `check`, which returns the query or the invalid fields. */
export function readRequest<D extends DescMessage, T extends object>(
  schema: D,
  bytes: Uint8Array,
  check: (request: MessageShape<D>) => T | readonly FieldViolation[],
): Reading<T> {
  let request: MessageShape<D>;
  try {
    request = fromBinary(schema, bytes, { readUnknownFields: false });
  } catch {
    return { fault: malformed(schema.typeName) };
  }
  const checked = check(request);
  return Array.isArray(checked) ? { fault: invalidFields(checked) } : { query: checked as T };
}
