/** The trending list, live. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { TrendingDelta, TrendingHeartbeat, TrendingSnapshot } from './answers.js';
import { knownCategories, noteCategories } from './categories.js';
import { useSharedValue } from './shared-value.js';
import { listen, type StreamEvent } from './event-stream.js';
import { Icon } from './icons.js';
import { announce, FaultNotice, Panel, Segments } from './panel.js';
import { words } from './subject.js';
import { query, type RequestFault } from './server.js';
import { type FollowedItem, TrendingHistory } from './trending-list.js';
import { TrendingTable } from './trending-table.js';
import { minute, moment } from './wording.js';

type Window = 'last-hour' | '1h' | '24h';

const HOUR_MS = 3_600_000;
const LIMIT = 20;
/** Changes come up to ten times a second; a reader needs fewer. */
const DRAW_EVERY_MS = 500;
/** Movements expire even when nothing changes. */
const REDRAW_EVERY_MS = 5_000;

type Followed = {
  readonly items?: readonly FollowedItem[];
  readonly since?: string | undefined;
  readonly asOf?: string;
  readonly live: boolean;
  /** When the server last sent something. */
  readonly receivedAtMs?: number;
  readonly fault?: RequestFault;
};

/** `isUnreachable`: the server is known not to respond, whatever state the stream reports. */
export function TrendingPanel({ isUnreachable }: { readonly isUnreachable: boolean }) {
  const [window, setWindow] = useState<Window>('last-hour');
  const [category, setCategory] = useState('');
  const categories = useSharedValue(knownCategories);
  const { group, allGroups, trending } = useSharedValue(words);
  const { items, since, asOf, live, receivedAtMs, fault } = useTrending(window, category);
  const isLive = live && !isUnreachable;
  const staleSinceMs = isUnreachable || fault !== undefined ? receivedAtMs : undefined;
  const hint = isLive ? (
    <span class="live">
      <span class="dot" aria-hidden="true" /> Live
      {since === undefined ? '' : `, since ${minute(since)}`}
      {asOf === undefined ? '' : `, as of ${moment(asOf)}`}
    </span>
  ) : (
    staleSinceMs === undefined && 'Connecting'
  );
  const fullHour = Math.floor((asOf === undefined ? Date.now() : Date.parse(asOf)) / HOUR_MS) * HOUR_MS;
  const windows: Readonly<Record<Window, string>> = {
    'last-hour': 'Last hour',
    '1h': `Since ${minute(new Date(fullHour).toISOString())}`,
    '24h': '24 hours',
  };
  const actions = (
    <>
      <label class="unseen" for="trending-category">
        {group}
      </label>
      <select id="trending-category" value={category} onChange={(event) => setCategory(event.currentTarget.value)}>
        <option value="">{allGroups}</option>
        {categories.map((one) => (
          <option key={one} value={one}>
            {one}
          </option>
        ))}
      </select>
      <Segments label="Window" value={window} options={windows} onChoose={setWindow} />
    </>
  );
  return (
    <Panel id="trending" title={trending} hint={hint} actions={actions} staleSinceMs={staleSinceMs}>
      {fault !== undefined && <FaultNotice fault={fault} again />}
      {items !== undefined && items.length > 0 && <TrendingTable items={items} since={since} />}
      {items?.length === 0 && (
        <p class="nothing">
          <Icon name="elsewhere" /> Nothing has been looked at in this window yet. It fills as events come in.
        </p>
      )}
      {items === undefined && fault === undefined && <div class="ghost-list" aria-hidden="true" />}
    </Panel>
  );
}

function useTrending(window: Window, category: string): Followed {
  const [followed, setFollowed] = useState<Followed>({ live: false });
  const path = useMemo(
    () => `/trending/stream${query({ window, n: LIMIT, category: category === '' ? undefined : category })}`,
    [window, category],
  );
  useEffect(() => {
    const over = new AbortController();
    const history = new TrendingHistory();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isThere = false;
    let isLive = false;
    let receivedAtMs = 0;
    const draw = (): void => {
      timer = undefined;
      const items = history.list(Date.now());
      noteCategories(items);
      const { asOf, since } = history;
      setFollowed((before) => ({ ...before, items, since, receivedAtMs, ...(asOf === undefined ? {} : { asOf }) }));
    };
    const drawSoon = (): void => {
      if (!isThere) draw();
      else timer ??= setTimeout(draw, DRAW_EVERY_MS);
      isThere = true;
    };
    // A list that is not updated any more stays as it is.
    const aging = setInterval(() => isThere && isLive && drawSoon(), REDRAW_EVERY_MS);
    setFollowed(({ fault: _, asOf: __, ...before }) => ({ ...before, live: false }));
    void listen(
      path,
      {
        onOpen: () => {
          if (isThere) announce('The trending list is live again.');
          isLive = true;
          setFollowed(({ fault: _, ...rest }) => ({ ...rest, live: true }));
        },
        onEvent: (event) => {
          takeEvent(history, event);
          receivedAtMs = Date.now();
          drawSoon();
        },
        onLost: (fault) => {
          isLive = false;
          setFollowed((before) => ({ ...before, live: false, fault }));
        },
      },
      over.signal,
    );
    return () => {
      over.abort();
      clearTimeout(timer);
      clearInterval(aging);
    };
  }, [path]);
  return followed;
}

function takeEvent(history: TrendingHistory, { kind, data }: StreamEvent): void {
  const now = Date.now();
  if (kind === 'snapshot') history.takeSnapshot(JSON.parse(data) as TrendingSnapshot, now);
  else if (kind === 'delta') history.takeDelta(JSON.parse(data) as TrendingDelta, now);
  else if (kind === 'heartbeat') history.takeAsOf((JSON.parse(data) as TrendingHeartbeat).as_of);
}
