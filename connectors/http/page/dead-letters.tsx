/** Refused events: the reason, the original, and the retry. */
import { useState } from 'preact/hooks';
import type { DeadLetter } from './answers.js';
import { DeadLetterRow } from './dead-letter-row.js';
import { FaultNotice, Segments } from './panel.js';
import { ListFrame, usePagedList } from './paged-list.js';

type Which = 'all' | 'waiting' | 'retried';

const WHICH: Readonly<Record<Which, string>> = { all: 'All', waiting: 'Waiting', retried: 'Retried' };
const ASKED: Readonly<Record<Which, string | undefined>> = { all: undefined, waiting: 'false', retried: 'true' };

export function DeadLetters() {
  const [which, setWhich] = useState<Which>('all');
  return (
    <>
      <div class="toolbar">
        <Segments label="Which dead letters" value={which} options={WHICH} onChoose={setWhich} />
      </div>
      {/* A changed filter starts at its own first page. */}
      <DeadLetterList key={which} which={which} />
    </>
  );
}

function DeadLetterList({ which }: { readonly which: Which }) {
  const [open, setOpen] = useState<string>();
  const list = usePagedList<DeadLetter>({
    path: '/dead-letters',
    fields: { retried: ASKED[which] },
    open,
  });
  const { items, fault, frame, refresh } = list;
  return (
    <ListFrame label="Dead letters" frame={frame}>
      {items?.length === 0 && (
        <p class="nothing">{which === 'all' ? 'No event was refused.' : 'None of the dead letters is like that.'}</p>
      )}
      {items !== undefined && items.length > 0 && (
        <ul class="letters" aria-label="Dead letters, the newest first">
          {items.map((letter) => (
            <DeadLetterRow
              key={letter.id}
              deadLetter={letter}
              isOpen={open === letter.id}
              onToggle={() => setOpen(open === letter.id ? undefined : letter.id)}
              onRetried={refresh}
            />
          ))}
        </ul>
      )}
      {/* Not above the rows: it would move them. */}
      {fault !== undefined && <FaultNotice fault={fault} again />}
    </ListFrame>
  );
}
