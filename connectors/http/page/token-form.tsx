/** The form for a token, which is kept for as long as the tab is open and sent with every request. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { Icon } from './icons.js';
import { Spinner } from './panel.js';
import { type RequestFault, tryToken } from './server.js';

export function TokenForm({ why }: { readonly why: string }) {
  const [fault, setFault] = useState<RequestFault>();
  const [busy, setBusy] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const onSubmit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setFault(await tryToken(field.current!.value));
    setBusy(false);
    field.current?.focus();
  };
  const said = fault?.message ?? why;
  return (
    <section class="panel token" aria-labelledby="token-title">
      <h2 id="token-title">
        <Icon name="key" /> This server asks for a token
      </h2>
      <p class="hint">
        Whoever runs it can give you one. It stays in this tab, until the tab is closed, and goes nowhere but to this
        server.
      </p>
      <form onSubmit={(event) => void onSubmit(event)} noValidate>
        <div class="field">
          <label for="token">Bearer token</label>
          <input
            ref={field}
            id="token"
            type="password"
            autocomplete="off"
            spellcheck={false}
            aria-invalid={fault !== undefined}
            aria-describedby="token-why"
          />
        </div>
        <button type="submit" class="primary" disabled={busy}>
          {busy && <Spinner />} Use token
        </button>
      </form>
      <p id="token-why" class={fault === undefined ? 'hint' : 'field-error'} role="alert">
        {said}
      </p>
    </section>
  );
}
