/** A listen address as a client on this machine uses it. */
import type { Address } from '../../connectors/facade/address.js';

const ANY_HOST: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** The address of this listener from this machine. */
export const reachedAt = (host: string, port: number): Address => ({ host: ANY_HOST[host] ?? host, port });
