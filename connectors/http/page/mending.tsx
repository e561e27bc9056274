/** Fields to set before an event is retried, as with `rivulet dlq retry --set field=value`. */
import { useState } from 'preact/hooks';
import type { DeadLetter } from './answers.js';
import { Icon } from './icons.js';
import { Spinner } from './panel.js';
import { meantBy } from './set-value.js';

const FIELDS_MAX = 20;
const FIELDS = ['event_type', 'event_time', 'user_id', 'item_id', 'category_code', 'brand', 'price', 'rating'];

type Change = { readonly field: string; readonly value: string };

interface MendingProps {
  readonly letter: DeadLetter;
  readonly busy: boolean;
  readonly onRetry: (set: Readonly<Record<string, unknown>>) => void;
}

export function Mending({ letter, busy, onRetry }: MendingProps) {
  const [changes, setChanges] = useState<readonly Change[]>([{ field: letter.field ?? '', value: '' }]);
  const [wrong, setWrong] = useState('');
  const change = (at: number, part: Partial<Change>): void =>
    setChanges(changes.map((one, i) => (i === at ? { ...one, ...part } : one)));
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault();
    const named = changes.filter(({ field }) => field.trim() !== '');
    setWrong(named.length === 0 ? 'Name the field to set.' : '');
    if (named.length > 0) onRetry(Object.fromEntries(named.map(({ field, value }) => [field.trim(), meantBy(value)])));
  };
  return (
    <form class="mending" onSubmit={onSubmit} noValidate aria-label="Mend the event">
      <h3>Mend it</h3>
      <p class="hint">
        12.5 is set as a number, null sets nothing, anything else is text. A text that looks like a number goes in
        quotes: "501".
      </p>
      {changes.map(({ field, value }, i) => (
        <div class="change" key={i}>
          <input
            aria-label={`Field ${i + 1}`}
            placeholder="field"
            list="event-fields"
            value={field}
            spellcheck={false}
            autocapitalize="off"
            onInput={(event) => change(i, { field: event.currentTarget.value })}
          />
          <span aria-hidden="true">=</span>
          <input
            aria-label={`Value ${i + 1}`}
            placeholder="value"
            value={value}
            spellcheck={false}
            autocapitalize="off"
            onInput={(event) => change(i, { value: event.currentTarget.value })}
          />
        </div>
      ))}
      <datalist id="event-fields">
        {FIELDS.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      {wrong !== '' && (
        <p class="field-error" role="alert">
          {wrong}
        </p>
      )}
      <div class="buttons">
        <button type="submit" class="primary" aria-disabled={busy}>
          {busy && <Spinner />} Set and retry
        </button>
        <button
          type="button"
          class="quiet"
          disabled={changes.length >= FIELDS_MAX}
          onClick={() => setChanges([...changes, { field: '', value: '' }])}
        >
          <Icon name="plus" /> Another field
        </button>
      </div>
    </form>
  );
}
