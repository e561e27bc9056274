/** Name, version, health with reasons, and links. */
import { Icon, type IconName, Logo } from './icons.js';
import type { RequestFault } from './server.js';
import { StaleSince } from './stale-since.js';
import type { History } from './status-history.js';
import { ThemeToggle } from './theme.js';
import { duration } from './wording.js';

interface PageHeadProps {
  readonly history: History | undefined;
  readonly fault: RequestFault | undefined;
  readonly staleSinceMs: number | undefined;
}

export function PageHead({ history, fault, staleSinceMs }: PageHeadProps) {
  const status = history?.status;
  const health = healthOf(history, fault);
  const uptime = status === undefined ? undefined : (Date.parse(status.now) - Date.parse(status.started_at)) / 1000;
  return (
    <header class="page-head">
      <div class="page-head-row">
        <h1>
          <Logo />
          Rivulet
        </h1>
        {status !== undefined && <span class="version">{status.version}</span>}
        <span class={`health ${health.tone}`}>
          <Icon name={health.icon} />
          {health.word}
        </span>
        {status !== undefined && (
          <span class="uptime">
            node <code>{status.node}</code>,{' '}
            {staleSinceMs === undefined ? `up ${duration(uptime)}` : <StaleSince atMs={staleSinceMs} />}
          </span>
        )}
        <div class="page-head-end">
          <nav aria-label="More about this server">
            <a href="../docs">API</a>
            <a href="../metrics">Metrics</a>
          </nav>
          <ThemeToggle />
        </div>
      </div>
      {health.why.length > 0 && (
        <ul class="why" aria-label="Why">
          {health.why.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
    </header>
  );
}

type HealthWords = {
  readonly tone: 'good' | 'warn' | 'bad' | 'calm';
  readonly icon: IconName;
  readonly word: string;
  readonly why: readonly string[];
};

function healthOf(history: History | undefined, fault: RequestFault | undefined): HealthWords {
  if (fault !== undefined) {
    const wait = fault.problem.retry_after_seconds;
    const next = wait === undefined ? 'It is asked again and again.' : `It is asked again in ${Math.ceil(wait)} s.`;
    const word = fault.status === 0 ? 'Not reachable' : 'No figures';
    return { tone: 'bad', icon: 'away', word, why: [`${fault.message} ${next}`] };
  }
  if (history === undefined) return { tone: 'calm', icon: 'elsewhere', word: 'Connecting', why: [] };
  const why = history.status.reasons ?? [];
  if (!history.status.serving) return { tone: 'bad', icon: 'failed', word: 'Not serving', why };
  return why.length === 0
    ? { tone: 'good', icon: 'running', word: 'Serving', why }
    : { tone: 'warn', icon: 'failed', word: 'Serving, with care', why };
}
