/** The start of a listener: common to gRPC and HTTP. */
import { fatal, type RivuletError } from '../../runtime/contract/errors.js';
import type { Logger } from '../../runtime/contract/ports.js';
import { authorityOf, type Address } from './address.js';
import { exposureWarning } from './admission/exposure.js';
import type { ServerTls } from './tls/server-tls.js';
import type { AuthOptions, TokenCheck, TokenCheckOptions } from './admission/token-check.js';

/** Collects the functions that end the watching of files. */
export class Watches {
  private readonly ends: (() => void)[] = [];

  add(end: () => void): void {
    this.ends.push(end);
  }

  readonly end = (): void => {
    for (const end of this.ends) end();
  };
}

/** Returns the result of `listen`; when it fails, all watches are ended. */
export async function listening<T>(listen: (watches: Watches) => Promise<T>): Promise<T> {
  const watches = new Watches();
  try {
    return await listen(watches);
  } catch (error) {
    watches.end();
    throw error;
  }
}

/** The token check, loaded only where tokens are required. */
export async function openTokens(
  auth: AuthOptions | undefined,
  options: Omit<TokenCheckOptions, keyof AuthOptions>,
  watches: Watches,
): Promise<TokenCheck | undefined> {
  if (auth === undefined) return undefined;
  const { TokenCheck } = await import('./admission/token-check.js');
  const tokens = await TokenCheck.open({ ...auth, ...options });
  watches.add(() => tokens.close());
  return tokens;
}

/** Logs a warning when a listener is open to other machines without authentication. */
export function warnOfExposure(
  { host, port, auth, tls }: { host: string; port: number; auth: AuthOptions | undefined; tls: ServerTls | undefined },
  logger: Logger | undefined,
): void {
  const authenticates = auth !== undefined || tls?.clientCaPath !== undefined;
  const warning = exposureWarning(host, { authenticates, isSecure: tls !== undefined });
  if (warning !== undefined) logger?.warn({ host, port }, warning);
}

/** Explains why the port cannot be opened. */
export function bindError(facade: 'grpc' | 'http', cause: Error, place: Address): RivuletError {
  const address = authorityOf(place);
  const code = facade === 'grpc' ? 'GRPC' : 'HTTP';
  const otherPort = `with --${facade}-port or RIVULET_${code}_PORT`;
  if (cause.message.includes('EADDRINUSE')) {
    return fatal(`${code}_PORT_TAKEN`, `another program listens on ${address}`, {
      cause,
      hint: `stop it, or choose another port ${otherPort}`,
    });
  }
  if (cause.message.includes('EACCES')) {
    return fatal(`${code}_PORT_REFUSED`, `the system does not let this user listen on ${address}`, {
      cause,
      hint: place.port < 1024 ? `choose a port above 1023 ${otherPort}` : 'ask who guards the ports of this machine',
    });
  }
  return fatal(`${code}_BIND_FAILED`, `cannot listen on ${address}: ${cause.message}`, {
    cause,
    hint: `${facade}Host must be an address of this machine`,
  });
}
