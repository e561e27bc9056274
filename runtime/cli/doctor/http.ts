/** Doctor: the HTTP façade, and the status of the stages behind it. */
import { authorityOf, type Address } from '../../../connectors/facade/address.js';
import type { Config } from '../../config/config.js';
import { broken, type Check, type Finding, ok, warning } from './finding.js';
import { asked, type HealthReport, listenerAt, type Question } from './listener.js';
import { type Load, loadNow, whyNotFree } from './machine.js';
import { pipelineFindings, type StatusResponse } from './pipeline.js';
import { facadeAddress } from './facade-address.js';
import { reachedAt } from '../address.js';
import { certificateFindings, HTTP, type OwnSettings, takenFinding } from './taken.js';
import { type Certificate, isOwn } from './tls.js';
import { runningServer } from '../nats-link.js';
import { tokenOf } from '../node-link.js';
import { harmless, shortened } from '../terminal.js';

/** Pause between two samples: changes and rates need two. */
const SAMPLE_AFTER_MS = 1_000;
const REASON_CHARACTERS_MAX = 300;

export const httpChecks = (config: Config): Check[] => [{ name: 'http', run: () => http(config) }];

async function http(config: Config): Promise<readonly Finding[]> {
  const { findings, ...place } = await facadeAddress(config, 'http');
  const own: OwnSettings = { certFile: config.tlsCertFile, natsUrl: runningServer(config.dataDir)?.url };
  return [...findings, ...(await httpFindings(place, { ...own, token: tokenOf({}) }))];
}

export interface HttpCheckOptions extends OwnSettings {
  /** For nodes that require tokens. */
  readonly token?: string | undefined;
  readonly sampleAfterMs?: number;
  /** Of the machine. */
  readonly load?: Load;
}

/** `host`: the configured listen address. */
export async function httpFindings(
  { host, port }: Address,
  options: HttpCheckOptions = {},
): Promise<readonly Finding[]> {
  if (port === 0) return [ok('HTTP takes any free port')];
  const why = await whyNotFree(host, port);
  if (why === undefined) return [ok(`HTTP port ${port} is free, no node answers there now`)];
  const place = reachedAt(host, port);
  const listener = await listenerAt(place);
  if (listener.kind !== 'http') return [takenFinding(place, why, listener, HTTP, options)];
  const { certificate, health } = listener;
  const { certFile, token, sampleAfterMs = SAMPLE_AFTER_MS, load = loadNow() } = options;
  const url = `${certificate === undefined ? 'http' : 'https'}://${authorityOf(place)}`;
  const findings = [healthFinding(url, health), ...certificateFindings(place, certificate, certFile)];
  // The token is only for this node: a listener with an unknown certificate, or without an expected one, gets no further requests.
  const isTrusted = (shown: Certificate): boolean => isOwn(shown, certFile);
  if (certificate === undefined ? certFile !== undefined : !isTrusted(certificate)) return findings;
  const question: Question = { secure: certificate !== undefined, token, isTrusted };
  return [...findings, ...(await stageFindings(place, question, sampleAfterMs, load))];
}

function healthFinding(url: string, { status, version, reasons = [], dependencies }: HealthReport): Finding {
  const which = version === undefined ? 'a node' : `a node (${version})`;
  if (status === 'serving') return ok(`${which} answers on ${url}: serving`);
  const why = reasons.length > 0 ? `: ${shortened(harmless(reasons.join('; ')), REASON_CHARACTERS_MAX)}` : '';
  const message = `${which} answers on ${url}, and is not serving (${status})${why}`;
  if (status === 'starting' || status === 'stopping') return warning(message, 'ask again in a moment');
  const { nats } = dependencies ?? {};
  if (nats?.status === 'down') return broken(message, `see that NATS runs at ${nats.url}`);
  return broken(message, 'see the log of the node');
}

async function stageFindings(
  place: Address,
  question: Question,
  sampleAfterMs: number,
  load: Load,
): Promise<readonly Finding[]> {
  const statusNow = () => asked(place, '/status', question);
  const first = await statusNow();
  if ('body' in first && (first.code === 401 || first.code === 403)) return [closedFinding(first.body)];
  if (!('body' in first) || !isStatus(first.body)) return [];
  const atMs = performance.now();
  await new Promise((resolve) => setTimeout(resolve, sampleAfterMs));
  const second = await statusNow();
  if (!('body' in second) || !isStatus(second.body)) return [];
  return pipelineFindings(first.body, second.body, (performance.now() - atMs) / 1000, load);
}

/** The status of the stages requires a token or a certificate, which the doctor does not have. */
function closedFinding(body: unknown): Finding {
  const wantsCertificate =
    typeof body === 'object' && body !== null && 'reason' in body && body.reason === 'CERTIFICATE_MISSING';
  return wantsCertificate
    ? warning(
        'the status of the stages requires a client certificate (tlsClientCaFile)',
        'read it with: curl --cacert FILE --cert FILE --key FILE https://…/status',
      )
    : warning('the status of the stages requires a token', 'set RIVULET_TOKEN and run this again');
}

const isStatus = (body: unknown): body is StatusResponse =>
  typeof body === 'object' && body !== null && 'stages' in body && Array.isArray(body.stages) && 'counters' in body;
