/** From configuration to the façade's options. */
import type { AuthOptions } from '../../connectors/grpc/token-check.js';
import { algorithmsIn, type Config } from '../config.js';
import type { NodeOptions } from '../main-node.js';

const SECOND_MS = 1000;

export function grpcOptions(config: Config): NodeOptions['grpc'] {
  const { grpcTlsCertFile: certPath, grpcTlsKeyFile: keyPath, grpcTlsClientCaFile: clientCaPath } = config;
  const auth = authOptions(config.grpcAuth);
  const { callsPerSecond, callBurst, callsAtOnce, streams } = config.grpcLimits;
  const { atOnce, keepaliveSeconds, keepaliveTimeoutSeconds, ageSeconds, ageGraceSeconds } = config.grpcConnections;
  return {
    host: config.grpcHost,
    port: config.grpcPort,
    ...(certPath === undefined || keyPath === undefined
      ? {}
      : { tls: { certPath, keyPath, ...(clientCaPath === undefined ? {} : { clientCaPath }) } }),
    ...(auth === undefined ? {} : { auth }),
    reloadEveryMs: config.grpcReloadSeconds * SECOND_MS,
    limits: {
      callsPerSecond,
      callBurst,
      callsPerClient: callsAtOnce,
      streamsPerClient: streams,
      connectionsMax: atOnce,
      keepaliveMs: keepaliveSeconds * SECOND_MS,
      keepaliveTimeoutMs: keepaliveTimeoutSeconds * SECOND_MS,
      connectionAgeMsMax: ageSeconds * SECOND_MS,
      ...(ageGraceSeconds === undefined ? {} : { connectionAgeGraceMs: ageGraceSeconds * SECOND_MS }),
    },
  };
}

function authOptions({
  jwksFile: file,
  jwksUrl: url,
  issuer,
  audience,
  algorithms,
  clockSkewSeconds,
}: Config['grpcAuth']): AuthOptions | undefined {
  if ((file === undefined && url === undefined) || issuer === undefined || audience === undefined) return undefined;
  return {
    keys: { ...(file === undefined ? {} : { file }), ...(url === undefined ? {} : { url }) },
    issuer,
    audience,
    algorithms: algorithmsIn(algorithms),
    clockSkewMs: clockSkewSeconds * SECOND_MS,
  };
}
