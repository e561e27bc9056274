/** From configuration to the façade's options. */
import type { AuthOptions } from '../../../connectors/facade/admission/token-check.js';
import { algorithmsIn, type Config } from '../../config/config.js';
import type { NodeOptions } from '../../node/node.js';

const SECOND_MS = 1000;

/** What gRPC and HTTP have in common. */
function sharedOptions(config: Config): Pick<NodeOptions['grpc'], 'tls' | 'auth' | 'reloadEveryMs'> {
  const { tlsCertFile: certPath, tlsKeyFile: keyPath, tlsClientCaFile: clientCaPath } = config;
  const auth = authOptions(config.auth);
  return {
    ...(certPath === undefined || keyPath === undefined
      ? {}
      : { tls: { certPath, keyPath, ...(clientCaPath === undefined ? {} : { clientCaPath }) } }),
    ...(auth === undefined ? {} : { auth }),
    reloadEveryMs: config.reloadSeconds * SECOND_MS,
  };
}

export function httpOptions(config: Config): NodeOptions['http'] {
  const { callsPerSecond, callBurst, callsAtOnce, streams } = config.limits;
  return {
    ...sharedOptions(config),
    ...{ host: config.httpHost, port: config.httpPort },
    origins: config.httpCorsOrigins?.split(',').map((origin) => origin.trim()) ?? [],
    limits: {
      ...{ callsPerSecond, callBurst, callsPerClient: callsAtOnce, streamsPerClient: streams },
      connectionsMax: config.connections.atOnce,
    },
  };
}

export function grpcOptions(config: Config): NodeOptions['grpc'] {
  const { callsPerSecond, callBurst, callsAtOnce, streams } = config.limits;
  const { atOnce, keepaliveSeconds, keepaliveTimeoutSeconds, ageSeconds, ageGraceSeconds } = config.connections;
  return {
    ...sharedOptions(config),
    host: config.grpcHost,
    port: config.grpcPort,
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
}: Config['auth']): AuthOptions | undefined {
  if ((file === undefined && url === undefined) || issuer === undefined || audience === undefined) return undefined;
  return {
    keys: { ...(file === undefined ? {} : { file }), ...(url === undefined ? {} : { url }) },
    issuer,
    audience,
    algorithms: algorithmsIn(algorithms),
    clockSkewMs: clockSkewSeconds * SECOND_MS,
  };
}
