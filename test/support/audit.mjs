/**
 * `npm audit` of what we ship, made to tell two things apart: a real finding (fails) and a registry whose audit endpoint
 * cannot be reached from this network (says so, and passes). Anything else that goes wrong fails.
 */
import { spawnSync } from 'node:child_process';

const AUDIT_MS_MAX = 90_000;
const FETCH_MS_MAX = 30_000;
/** What proxies and mirrors answer when they do not serve the endpoint, and what a registry answers when it is down. */
const UNSERVED_STATUSES = new Set([403, 404, 405, 407, 408, 429, 451, 501]);
const NETWORK_ERROR =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EPIPE|ERR_SOCKET_TIMEOUT|ENOTCACHED|network timeout|socket hang up)\b/;

const { status, stdout, stderr, error } = spawnSync(
  'npm',
  [
    'audit',
    '--audit-level=high',
    '--omit=dev',
    '--json',
    '--audit=true',
    '--offline=false',
    '--fetch-retries=0',
    `--fetch-timeout=${FETCH_MS_MAX}`,
  ],
  { encoding: 'utf8', timeout: AUDIT_MS_MAX, maxBuffer: 64 * 2 ** 20 },
);

const report = parsed(stdout);
if (report?.metadata?.vulnerabilities !== undefined) {
  reportFindings(report);
} else if (error?.code === 'ETIMEDOUT' || isUnreachable(report, stderr)) {
  console.log('audit: registry endpoint unreachable, skipped');
} else {
  console.error(stdout, stderr, error ?? '');
  console.error('audit: npm audit did not work, see above');
  process.exitCode = 1;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isUnreachable(answer, log) {
  if (!/audit endpoint returned an error/.test(log)) return false;
  const httpStatus = answer?.statusCode;
  if (typeof httpStatus === 'number') return UNSERVED_STATUSES.has(httpStatus) || httpStatus >= 500;
  return NETWORK_ERROR.test(`${answer?.message ?? ''} ${log}`);
}

function reportFindings({ metadata, vulnerabilities = {} }) {
  const { total, high, critical } = metadata.vulnerabilities;
  for (const { name, severity, range, via } of Object.values(vulnerabilities)) {
    const titles = via.map((cause) => (typeof cause === 'string' ? `through ${cause}` : `${cause.title} ${cause.url}`));
    console.log(`audit: ${severity} ${name} ${range}: ${titles.join('; ')}`);
  }
  console.log(`audit: ${high + critical} high or critical, ${total - high - critical} lower`);
  if (status !== 0) process.exitCode = 1;
}
