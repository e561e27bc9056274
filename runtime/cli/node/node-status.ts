/** Requests to the running node over HTTP: GET /status, for `rivulet top` and `rivulet status`, and others for operators. */
import type { StatusReport } from '../../../connectors/http/routes/status-report.js';
import { fatal } from '../../contract/errors.js';
import { asked } from '../doctor/listener.js';
import { facadeAddress } from '../doctor/facade-address.js';
import { isOwn } from '../doctor/tls.js';
import { httpAddressOf, tokenOf } from '../node-link.js';
import { reachedAt } from '../address.js';
import { type JsonOptions, type SettingOptions, settingsOf } from '../settings.js';

/** Requests a status with each call. Fatal NODE_NOT_FOUND. */
export async function nodeStatus(options: JsonOptions): Promise<() => Promise<StatusReport>> {
  const ask = await nodeRequests(options, 'report its status');
  return () => ask<StatusReport>('/status');
}

/** Requests paths. `does`: what the node is asked to do, for errors. Fatal NODE_NOT_FOUND. */
export async function nodeRequests(options: SettingOptions, does: string): Promise<<T>(path: string) => Promise<T>> {
  const { config } = settingsOf(options);
  const { host, port } = await facadeAddress(config, 'http');
  const certFile = config.tlsCertFile;
  const question = {
    secure: certFile !== undefined,
    token: tokenOf({}),
    isTrusted: (shown: Parameters<typeof isOwn>[0]) => isOwn(shown, certFile),
  };
  return async <T>(path: string) => {
    const answer = await asked(reachedAt(host, port), path, question);
    if ('body' in answer && answer.code === 200) return answer.body as T;
    const at = httpAddressOf(config, port);
    if ('code' in answer && (answer.code === 401 || answer.code === 403)) {
      const detail = (answer.body as { readonly detail?: string } | undefined)?.detail ?? `it answers ${answer.code}`;
      throw fatal('GRPC_UNAUTHENTICATED', `the node at ${at} does not ${does}: ${detail}`, {
        hint: 'set RIVULET_TOKEN to a token that the node accepts',
      });
    }
    const problem =
      'error' in answer
        ? `nothing that could be a node answers on ${at}: ${answer.error}`
        : `what answers on ${at} does not ${does}: it answers ${answer.code}`;
    throw fatal('NODE_NOT_FOUND', problem, {
      hint: 'give --data-dir or --http-port; of a node with TLS also --set tlsCertFile=… with its certificate',
    });
  };
}
