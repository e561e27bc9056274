/**
 * Files that are replaced while the node runs: certificates, keys, key sets.
 *
 * Their bytes are read periodically and compared: a swapped symlink (Kubernetes), a file renamed into place and one overwritten in place are all
 * detected this way, on every file system. An unreadable or unusable file is logged once, and the previous contents stay in use.
 */
import type { ErrorCode } from '../../../runtime/contract/error-codes.js';
import { readFile } from 'node:fs/promises';
import { asError, fatal } from '../../../runtime/contract/errors.js';
import type { Logger } from '../../../runtime/contract/ports.js';

export interface WatchOptions {
  readonly everyMs: number;
  readonly logger: Logger | undefined;
}

/** The bytes of each file, in the order of the paths. */
export type Contents = readonly Buffer[];

export const RELOAD_EVERY_MS = 10_000;

/** Rejects with fatal `code` when one cannot be read. */
export const readAll = (paths: readonly string[], code: ErrorCode): Promise<Contents> =>
  Promise.all(
    paths.map(async (path) => {
      try {
        return await readFile(path);
      } catch (cause) {
        throw fatal(code, `the file ${path} cannot be read`, { cause, hint: 'check the path and who may read it' });
      }
    }),
  );

/**
 * Calls `use` with the contents of the files, and again whenever they change; an error of its first call is thrown, later ones are logged. Returns
 * the function that ends this.
 */
export async function watchFiles(
  paths: readonly string[],
  unreadable: ErrorCode,
  use: (contents: Contents) => void,
  { everyMs, logger }: WatchOptions,
): Promise<() => void> {
  let seen = await readAll(paths, unreadable);
  use(seen);
  let reportedError = '';
  let stopped = false;

  const check = async (): Promise<void> => {
    try {
      const now = await readAll(paths, unreadable);
      if (stopped || now.every((bytes, i) => bytes.equals(seen[i]!))) return;
      seen = now;
      use(now);
      reportedError = '';
      logger?.info({ files: paths }, 'replaced files are in use');
    } catch (thrown) {
      const error = asError(thrown);
      const why = `${error.message} ${error.cause instanceof Error ? error.cause.message : ''}`;
      if (reportedError !== why)
        logger?.error({ err: error, files: paths }, 'replaced files are of no use; the old ones stay');
      reportedError = why;
    }
  };
  let timer: NodeJS.Timeout;
  const again = (): void => {
    timer = setTimeout(() => void check().finally(() => stopped || again()), everyMs).unref();
  };
  again();
  return () => {
    stopped = true;
    clearTimeout(timer);
  };
}
