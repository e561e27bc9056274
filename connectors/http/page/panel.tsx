/** The building blocks of all parts of the page. */
import type { ComponentChildren } from 'preact';
import { SharedValue, useSharedValue } from './shared-value.js';
import { Icon, type IconName } from './icons.js';
import type { RequestFault } from './server.js';
import { StaleSince } from './stale-since.js';

/** The one live region, for screen readers: a requested result is there, the server is gone or back. Rare and short. */
const announced = new SharedValue('');
export const announce = (text: string): void => announced.set(text);

export const Announcer = () => (
  <p class="unseen" role="status">
    {useSharedValue(announced)}
  </p>
);

interface PanelProps {
  readonly id: string;
  readonly title: string;
  readonly hint?: ComponentChildren;
  readonly actions?: ComponentChildren;
  /** Absent: the content is up to date. */
  readonly staleSinceMs?: number | undefined;
  readonly children: ComponentChildren;
}

export const Panel = ({ id, title, hint, actions, staleSinceMs, children }: PanelProps) => (
  <section class={`panel ${id}${staleSinceMs === undefined ? '' : ' is-stale'}`} aria-labelledby={`${id}-title`}>
    <header class="panel-head">
      <div>
        <h2 id={`${id}-title`}>{title}</h2>
        {(hint ?? staleSinceMs) !== undefined && (
          <p class="hint">
            {hint}
            {staleSinceMs !== undefined && <StaleSince atMs={staleSinceMs} />}
          </p>
        )}
      </div>
      {actions !== undefined && <div class="actions">{actions}</div>}
    </header>
    {children}
  </section>
);

interface NoticeProps {
  readonly tone: 'bad' | 'warn' | 'good' | 'calm';
  readonly icon?: IconName;
  readonly children: ComponentChildren;
  /** Announced at once. */
  readonly alert?: boolean;
}

export const Notice = ({ tone, icon, alert, children }: NoticeProps) => (
  <div class={`notice ${tone}`} {...(alert === true ? { role: 'alert' } : {})}>
    {icon !== undefined && <Icon name={icon} />}
    <div>{children}</div>
  </div>
);

/** Why something is missing, and what happens next. */
export function FaultNotice({ fault, again }: { readonly fault: RequestFault; readonly again?: boolean }) {
  const wait = fault.problem.retry_after_seconds;
  const next =
    again !== true ? undefined : wait === undefined ? 'Trying again.' : `Trying again in ${Math.ceil(wait)} s.`;
  return (
    <Notice tone={fault.status === 0 || fault.status >= 500 ? 'bad' : 'warn'} icon="failed" alert={again !== true}>
      <strong>{titleOf(fault)}</strong> {fault.message} {next}
      {fault.problem.request_id !== undefined && <span class="request-id">Request {fault.problem.request_id}</span>}
    </Notice>
  );
}

function titleOf({ status, problem }: RequestFault): string {
  if (status === 0) return 'Not reachable.';
  if (status === 429) return 'Too many requests.';
  if (status === 503) return 'Not ready.';
  if (status === 404) return 'Not found.';
  return problem.title === undefined ? 'That did not work.' : `${problem.title}.`;
}

interface Choice<T extends string> {
  readonly label: string;
  readonly value: T;
  readonly options: Readonly<Record<T, string>>;
  readonly onChoose: (value: T) => void;
}

/** A choice of one among a few: radio buttons, shown as a segmented control. */
export function Segments<T extends string>({ label, value, options, onChoose }: Choice<T>) {
  return (
    <fieldset class="segments">
      <legend class="unseen">{label}</legend>
      {(Object.entries(options) as [T, string][]).map(([key, text]) => (
        <label key={key}>
          <input type="radio" name={label} value={key} checked={key === value} onChange={() => onChoose(key)} />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

export const Spinner = () => <span class="spinner" aria-hidden="true" />;
