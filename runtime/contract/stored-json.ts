/**
 * JSON that others can overwrite (a bucket, a stream's description, a file): it is parsed into the expected type, or rejected. Without a library, which
 * would add some 60 ms to the start of each thread.
 */
import { textOf } from '../frames/bytes.js';

export type Check = (value: unknown) => boolean;

export const isText: Check = (value) => typeof value === 'string';

export const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;

export const isFlag: Check = (value) => typeof value === 'boolean';

export const isListOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isRecordOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) && Object.values(value).every(check);

export const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);

/** An object whose fields pass; it may have further fields. */
export const hasFields =
  (checks: Readonly<Record<string, Check>>): Check =>
  (value) =>
    isObject(value) && Object.entries(checks).every(([field, check]) => check(value[field]));

/** `undefined` when it is not JSON, or not the expected type. */
export function storedJson<T>(stored: Uint8Array | string, check: Check): T | undefined {
  let found: unknown;
  try {
    found = JSON.parse(typeof stored === 'string' ? stored : textOf(stored));
  } catch {
    return undefined;
  }
  return check(found) ? (found as T) : undefined;
}
