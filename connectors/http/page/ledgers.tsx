/** Events that are not in the lists: refused ones, and late ones. */
import { useRef, useState } from 'preact/hooks';
import { DeadLetters } from './dead-letters.js';
import { LateEvents } from './late-events.js';
import { Panel } from './panel.js';

const TABS = { dead: 'Dead letters', late: 'Late events' } as const;
type Tab = keyof typeof TABS;
const KEYS = Object.keys(TABS) as Tab[];

const HINTS: Readonly<Record<Tab, string>> = {
  dead: 'Events that were refused, with the reason. Mended, they can be published again.',
  late: 'Rows of events whose window was closed already when they came.',
};

export function Ledgers() {
  const [tab, setTab] = useState<Tab>('dead');
  const tabs = useRef<HTMLDivElement>(null);
  const onKey = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const next = KEYS[(KEYS.indexOf(tab) + step + KEYS.length) % KEYS.length]!;
    setTab(next);
    tabs.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  const switcher = (
    <div class="tabs" role="tablist" aria-label="Kept aside" ref={tabs} onKeyDown={onKey}>
      {KEYS.map((key) => (
        <button
          key={key}
          type="button"
          role="tab"
          id={`tab-${key}`}
          aria-selected={key === tab}
          aria-controls="ledger"
          tabIndex={key === tab ? 0 : -1}
          onClick={() => setTab(key)}
        >
          {TABS[key]}
        </button>
      ))}
    </div>
  );
  return (
    <Panel id="ledgers" title="Kept aside" hint={HINTS[tab]} actions={switcher}>
      <div id="ledger" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === 'dead' ? <DeadLetters /> : <LateEvents />}
      </div>
    </Panel>
  );
}
