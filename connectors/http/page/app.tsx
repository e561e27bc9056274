/** The page: the requests that its parts share, and the order of the parts. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { Status } from './answers.js';
import { useSharedValue } from './shared-value.js';
import { Figures } from './figures.js';
import { useHeadHeight } from './head-height.js';
import { Ledgers } from './ledgers.js';
import { PageHead } from './page-head.js';
import { announce, Announcer } from './panel.js';
import { usePolling } from './polling.js';
import { RankingPanel } from './ranking.js';
import { RecommendationsPanel } from './recommendations.js';
import { getJson, tokenRequest } from './server.js';
import { SimilarDialog } from './similar-items.js';
import { type History, nextHistory } from './status-history.js';
import { noteSubject } from './subject.js';
import { SupervisionPanel } from './supervision.js';
import { TokenForm } from './token-form.js';
import { TopologyPanel } from './topology.js';
import { TrendingPanel } from './trending.js';

const STATUS_EVERY_MS = 2_000;

export function App() {
  const [history, setHistory] = useState<History>();
  const polling = usePolling(async (signal) => {
    const status = await getJson<Status>('/status', { signal });
    noteSubject(status);
    setHistory((before) => nextHistory(before, status));
  }, STATUS_EVERY_MS);
  const { fault, staleSinceMs } = polling;
  const isUnreachable = fault !== undefined && fault.status !== 401;
  useAnnouncement(isUnreachable);
  useHeadHeight();
  const asked = useSharedValue(tokenRequest);
  return (
    <>
      <a class="skip" href="#main">
        Skip to content
      </a>
      <PageHead history={history} fault={isUnreachable ? fault : undefined} staleSinceMs={staleSinceMs} />
      <main id="main" tabIndex={-1}>
        {asked !== undefined && <TokenForm why={asked} />}
        {/* Stays mounted while a token is requested, so that typed text is kept. */}
        <div class="parts" hidden={asked !== undefined}>
          <Figures history={history} staleSinceMs={staleSinceMs} />
          <RecommendationsPanel isUnreachable={fault?.status === 0} />
          <TrendingPanel isUnreachable={fault?.status === 0} />
          <RankingPanel />
          <TopologyPanel history={history} staleSinceMs={staleSinceMs} />
          <SupervisionPanel history={history} staleSinceMs={staleSinceMs} />
          <Ledgers />
        </div>
      </main>
      <SimilarDialog />
      <Announcer />
    </>
  );
}

function useAnnouncement(isUnreachable: boolean): void {
  const wasUnreachable = useRef(false);
  useEffect(() => {
    if (isUnreachable) announce('The server is not reachable.');
    else if (wasUnreachable.current) announce('The server is back.');
    wasUnreachable.current = isUnreachable;
  }, [isUnreachable]);
}
