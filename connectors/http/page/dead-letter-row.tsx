/** One refused event. It can be retried unchanged at once; opened, it can be corrected first. */
import { useState } from 'preact/hooks';
import type { DeadLetter } from './answers.js';
import { Icon } from './icons.js';
import { setOut } from './json-text.js';
import { Mending } from './mending.js';
import { announce, Notice, Spinner } from './panel.js';
import { faultOf, postJson, query, request, type RequestFault } from './server.js';
import { count, moment } from './wording.js';

interface RowProps {
  readonly deadLetter: DeadLetter;
  readonly isOpen: boolean;
  readonly onToggle: () => void;
  readonly onRetried: () => void;
}

type Tried = { readonly busy: boolean; readonly subject?: string; readonly fault?: RequestFault };

export function DeadLetterRow({ deadLetter, isOpen, onToggle, onRetried }: RowProps) {
  const [tried, setTried] = useState<Tried>({ busy: false });
  const wasRetried = deadLetter.retried_at !== undefined || tried.subject !== undefined;
  const retry = async (set?: Readonly<Record<string, unknown>>): Promise<void> => {
    if (tried.busy) return;
    setTried({ busy: true });
    try {
      const path = `/dead-letters/${encodeURIComponent(deadLetter.id)}/retry${query({ again: wasRetried || undefined })}`;
      const { subject } = await postJson<{ readonly subject: string }>(path, set === undefined ? undefined : { set });
      setTried({ busy: false, subject });
      announce('The event was published again.');
      onRetried();
    } catch (error) {
      setTried({ busy: false, fault: faultOf(error) });
    }
  };
  const body = `letter-${deadLetter.id}`;
  return (
    <li class={isOpen ? 'letter is-open' : 'letter'}>
      <div class="letter-head">
        <button
          type="button"
          class="letter-toggle"
          aria-expanded={isOpen}
          aria-controls={isOpen ? body : undefined}
          onClick={onToggle}
        >
          <span class="turning">
            <Icon name="chevron" />
          </span>
          <span>
            <span class="reason">{deadLetter.reason}</span>
            <span class="sub">
              <span>{moment(deadLetter.stored_at)}</span>
              <span>
                {deadLetter.stage}, {deadLetter.rule}
              </span>
              <span>{sourceOf(deadLetter)}</span>
            </span>
          </span>
        </button>
        <div class="letter-actions">
          {wasRetried && (
            <span class="state-word running">
              <Icon name="running" /> Retried
              {deadLetter.retried_at === undefined ? '' : ` ${moment(deadLetter.retried_at)}`}
            </span>
          )}
          {/* Not `disabled`: it would lose the focus. */}
          <button type="button" aria-disabled={tried.busy} onClick={() => void retry()}>
            {tried.busy ? <Spinner /> : <Icon name="retry" />}
            {wasRetried ? 'Again' : 'Retry'}
            <span class="unseen"> {deadLetter.reason}</span>
          </button>
        </div>
      </div>
      {tried.subject !== undefined && (
        <Notice tone="good" icon="running">
          Published again on <code>{tried.subject}</code>. If it is refused again, it comes back as a new dead letter.
        </Notice>
      )}
      {tried.fault !== undefined && <RetryFault fault={tried.fault} />}
      {isOpen && (
        <div class="letter-body" id={body}>
          <div>
            <h3>The original event</h3>
            <pre tabIndex={0} aria-label="The original event">
              {originalOf(deadLetter)}
            </pre>
            {deadLetter.original_url !== undefined && (
              <FullOriginal letter={deadLetter} url={deadLetter.original_url} />
            )}
          </div>
          <Mending letter={deadLetter} busy={tried.busy} onRetry={(set) => void retry(set)} />
        </div>
      )}
    </li>
  );
}

/** Not a link: a browser would request it without the token. */
function FullOriginal({ letter, url }: { readonly letter: DeadLetter; readonly url: string }) {
  const [fault, setFault] = useState<RequestFault>();
  const save = async (): Promise<void> => {
    try {
      const file = document.createElement('a');
      file.href = URL.createObjectURL(await (await request(url)).blob());
      file.download = `dead-letter-${letter.id}`;
      file.click();
      URL.revokeObjectURL(file.href);
      setFault(undefined);
    } catch (error) {
      setFault(faultOf(error));
    }
  };
  return (
    <p class="hint">
      This is its beginning; it has {count(letter.original_bytes ?? 0)} bytes.{' '}
      <button type="button" class="quiet" onClick={() => void save()}>
        Save all of it
      </button>
      {fault !== undefined && <span role="alert"> {fault.message}</span>}
    </p>
  );
}

const RetryFault = ({ fault }: { readonly fault: RequestFault }) => (
  <Notice tone="bad" icon="failed" alert>
    <strong>Not retried.</strong> {fault.message}
    {fault.problem.errors?.map(({ field, detail }) => (
      <div key={field}>
        <code>{field}</code> {detail}
      </div>
    ))}
  </Notice>
);

function sourceOf({ subject, sequence, file, line, index }: DeadLetter): string {
  const at = index === undefined || index === 0 ? '' : `, event ${index + 1}`;
  if (file !== undefined) return `${file}${line === undefined ? '' : ` line ${count(line)}`}${at}`;
  return `${subject ?? ''}${sequence === undefined ? '' : ` #${sequence}`}${at}`;
}

/** JSON is formatted for reading; anything else is shown unchanged. */
function originalOf({ original, original_base64: base64 }: DeadLetter): string {
  if (original === undefined) return base64 === undefined ? 'It was not kept.' : `no text; in base64:\n${base64}`;
  return setOut(original);
}
